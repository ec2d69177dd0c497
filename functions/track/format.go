package track

import (
	"encoding/json"
	"net/http"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/analytics-platform/analytics/shared/edge/problem"
	"github.com/analytics-platform/analytics/shared/ingest/wire"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// codec decodes the requests of a tracker's format, and writes responses in it.
type codec interface {
	// decode decodes the events of a request. The error is a *validation.Error, and means
	// that no event was decoded.
	decode(r wire.Request) (wire.Batch, error)
	// respond writes the outcome for the events.
	respond(w http.ResponseWriter, r response)
	// reject writes why the whole request was rejected.
	reject(w http.ResponseWriter, p problem.Problem)
}

// native is our own format.
type native struct{}

func (native) decode(r wire.Request) (wire.Batch, error) { return wire.Native(r) }

func (native) respond(w http.ResponseWriter, r response) {
	if r.allBad() {
		problem.Write(w, r.problem())
		return
	}
	if r.size() == r.Accepted && len(r.Warnings) == 0 { // the usual case
		write(w, http.StatusAccepted, append(strconv.AppendInt(append(make([]byte, 0, 24), `{"accepted":`...), int64(r.Accepted), 10), '}'))
		return
	}
	writeJSON(w, http.StatusAccepted, r)
}

func (native) reject(w http.ResponseWriter, p problem.Problem) { problem.Write(w, p) }

// pixel responds with an image, for pages and mails without scripts. It always sends the
// image; a header has the outcome for the event.
type pixel struct{}

func (pixel) decode(r wire.Request) (wire.Batch, error) { return wire.Pixel(r) }

func (p pixel) respond(w http.ResponseWriter, r response) {
	if len(r.Errors) > 0 {
		p.reject(w, r.problem())
		return
	}
	p.write(w, r.outcome())
}

func (p pixel) reject(w http.ResponseWriter, reason problem.Problem) {
	outcome := "refused: " + reason.Detail
	if reason.Field != "" {
		outcome = "refused: " + reason.Field + ": " + reason.Detail
	}
	p.write(w, outcome)
}

// outcomeHeader has the outcome for an event in formats without another place for it.
const outcomeHeader = "X-Analytics-Outcome"

// setOutcome sets the header if events were dropped, or there are warnings.
func setOutcome(w http.ResponseWriter, r response) {
	if len(r.Dropped)+len(r.Warnings) > 0 {
		setExposed(w, outcomeHeader, r.outcome())
	}
}

func (pixel) write(w http.ResponseWriter, outcome string) {
	// One transparent pixel: GIF89a, a palette of two colours, the first transparent.
	const image = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" +
		"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
	setExposed(w, outcomeHeader, outcome)
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Content-Length", strconv.Itoa(len(image)))
	h.Set("Cache-Control", "no-store, no-cache, must-revalidate, private")
	h.Set("Expires", "0")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(image)) // fails only if the client is gone
}

// plausible responds as Plausible does: with 202 even for a dropped event, which a header
// marks, and with 400 and the errors by field.
type plausible struct{}

func (plausible) decode(r wire.Request) (wire.Batch, error) { return wire.Plausible(r) }

func (p plausible) respond(w http.ResponseWriter, r response) {
	dropped := len(r.Dropped) > 0
	for _, e := range r.Errors {
		if e.Code != validation.CodeUnknownSite {
			p.reject(w, e)
			return
		}
		dropped = true // Plausible does not disclose which sites exist
	}
	if dropped {
		setExposed(w, "X-Plausible-Dropped", "1")
	}
	setOutcome(w, r)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte("ok")) // fails only if the client is gone
}

func (plausible) reject(w http.ResponseWriter, p problem.Problem) {
	if p.Status != http.StatusBadRequest {
		problem.Write(w, p)
		return
	}
	field := p.Field
	if field == "" {
		field = "request"
	}
	writeJSON(w, http.StatusBadRequest, map[string]any{"errors": map[string][]string{field: {p.Detail}}})
}

// debug writes the decoded events, and nothing about the sender. Nothing is queued.
func (plausible) debug(w http.ResponseWriter, b wire.Batch) {
	inputs := make([]event.Input, len(b.Events))
	for i, e := range b.Events {
		inputs[i] = e.Input
	}
	body, err := jsonv2.Marshal(map[string]any{"events": inputs}, jsonv2.OmitZeroStructFields(true))
	if err != nil { // values decoded from JSON always encode
		panic(err)
	}
	writeJSON(w, http.StatusOK, json.RawMessage(body))
}

// umami responds as Umami does. The session and the token, which its trackers send back,
// have no meaning here: they are the same for every visitor.
type umami struct{ batch bool }

func (u umami) decode(r wire.Request) (wire.Batch, error) {
	if u.batch {
		return wire.UmamiBatch(r)
	}
	return wire.Umami(r)
}

const (
	umamiToken   = "none"
	umamiSession = "00000000-0000-0000-0000-000000000000"
)

func (u umami) respond(w http.ResponseWriter, r response) {
	setOutcome(w, r)
	switch {
	case u.batch:
		details := make([]any, len(r.Errors))
		for i, e := range r.Errors {
			details[i] = map[string]any{"index": e.Index, "response": umamiError(e)}
		}
		writeJSON(w, http.StatusOK, map[string]any{
			"size": r.size(), "processed": r.size() - len(r.Errors), "errors": len(r.Errors), "details": details, "cache": umamiToken,
		})
	case len(r.Errors) > 0:
		u.reject(w, r.problem())
	case len(r.Dropped) > 0:
		writeJSON(w, http.StatusOK, map[string]string{"beep": "boop"})
	default:
		writeJSON(w, http.StatusOK, map[string]string{"cache": umamiToken, "sessionId": umamiSession, "visitId": umamiSession})
	}
}

func (umami) reject(w http.ResponseWriter, p problem.Problem) { writeJSON(w, p.Status, umamiError(p)) }

func umamiError(p problem.Problem) map[string]any {
	message := p.Detail
	if p.Field != "" {
		message = p.Field + ": " + p.Detail
	}
	return map[string]any{"error": map[string]any{"message": message, "code": p.Code, "status": p.Status}}
}

// segment responds as Segment does: with 200 if a message was accepted, and with the
// outcome for the others.
type segment struct{ messageType string }

func (s segment) decode(r wire.Request) (wire.Batch, error) {
	if s.messageType == "batch" {
		return wire.SegmentBatch(r)
	}
	return wire.Segment(s.messageType, r)
}

func (s segment) respond(w http.ResponseWriter, r response) {
	if r.allBad() {
		s.reject(w, r.problem())
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Success bool `json:"success"`
		response
	}{true, r})
}

func (segment) reject(w http.ResponseWriter, p problem.Problem) {
	writeJSON(w, p.Status, struct {
		Success bool `json:"success"`
		problem.Problem
	}{false, p})
}

// handle returns the handler for the requests of a format.
func (f *function) handle(c codec) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if batch, ok := f.read(w, r, c); ok {
			f.enqueue(w, r, c, batch)
		}
	}
}

// plausible handles a request of Plausible's trackers. With the header X-Debug-Request it
// responds with the decoded events instead of queueing them.
func (f *function) plausible(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Debug-Request") != "true" {
		f.handle(plausible{})(w, r)
		return
	}
	if batch, ok := f.read(w, r, plausible{}); ok {
		plausible{}.debug(w, batch.Batch)
	}
}

// segment handles a request of Segment's libraries.
func (f *function) segment(w http.ResponseWriter, r *http.Request) {
	messageType, ok := wire.SegmentType(r.PathValue("type"))
	if !ok {
		notFound(w)
		return
	}
	f.handle(segment{messageType})(w, r)
}
