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

// A format is how a tracker and the function speak.
type format interface {
	// read reads the events of a request; an error is an *validation.Error and
	// means that there are none.
	read(r wire.Request) (wire.Batch, error)
	// answer says what became of the events.
	answer(w http.ResponseWriter, a answer)
	// refuse says why the request was not taken at all.
	refuse(w http.ResponseWriter, p problem.Problem)
}

// native is our own form.
type native struct{}

func (native) read(r wire.Request) (wire.Batch, error) { return wire.Native(r) }

func (native) answer(w http.ResponseWriter, a answer) {
	if a.allBad() {
		problem.Write(w, a.problem())
		return
	}
	if a.size() == a.Accepted && len(a.Warnings) == 0 { // nearly always
		write(w, http.StatusAccepted, append(strconv.AppendInt(append(make([]byte, 0, 24), `{"accepted":`...), int64(a.Accepted), 10), '}'))
		return
	}
	writeJSON(w, http.StatusAccepted, a)
}

func (native) refuse(w http.ResponseWriter, p problem.Problem) { problem.Write(w, p) }

// pixel is an image, for pages and mails without scripts: it is always shown, and a
// header says what became of the event.
type pixel struct{}

func (pixel) read(r wire.Request) (wire.Batch, error) { return wire.Pixel(r) }

func (p pixel) answer(w http.ResponseWriter, a answer) {
	switch {
	case len(a.Errors) > 0:
		p.refuse(w, a.problem())
	case len(a.Dropped) > 0:
		p.write(w, "dropped: "+string(a.Dropped[0].Reason))
	default:
		p.write(w, "accepted")
	}
}

func (p pixel) refuse(w http.ResponseWriter, why problem.Problem) {
	outcome := "refused: " + why.Detail
	if why.Field != "" {
		outcome = "refused: " + why.Field + ": " + why.Detail
	}
	p.write(w, outcome)
}

// outcomeHeader says what became of an event where the answer has no other place.
const outcomeHeader = "X-Analytics-Outcome"

func (pixel) write(w http.ResponseWriter, outcome string) {
	// One transparent pixel: GIF89a, a palette of two colours, the first of them transparent.
	const image = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" +
		"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
	tell(w, outcomeHeader, outcome)
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Content-Length", strconv.Itoa(len(image)))
	h.Set("Cache-Control", "no-store, no-cache, must-revalidate, private")
	h.Set("Expires", "0")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(image)) // a client that has gone away is nobody's error
}

// plausible answers as Plausible does: 202 even for what was dropped, with a header
// that tells, and 400 with the errors by field.
type plausible struct{}

func (plausible) read(r wire.Request) (wire.Batch, error) { return wire.Plausible(r) }

func (p plausible) answer(w http.ResponseWriter, a answer) {
	dropped := len(a.Dropped) > 0
	for _, e := range a.Errors {
		if e.Code != validation.CodeUnknownSite {
			p.refuse(w, e)
			return
		}
		dropped = true // Plausible doesn't tell strangers which sites there are
	}
	if dropped {
		tell(w, "X-Plausible-Dropped", "1")
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte("ok")) // a client that has gone away is nobody's error
}

func (plausible) refuse(w http.ResponseWriter, p problem.Problem) {
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

// debug answers what was read of a request, and nothing of who sent it. Nothing is
// queued.
func (plausible) debug(w http.ResponseWriter, b wire.Batch) {
	inputs := make([]event.Input, len(b.Events))
	for i, e := range b.Events {
		inputs[i] = e.Input
	}
	body, err := jsonv2.Marshal(map[string]any{"events": inputs}, jsonv2.OmitZeroStructFields(true))
	if err != nil { // what was read from JSON can be written
		panic(err)
	}
	writeJSON(w, http.StatusOK, json.RawMessage(body))
}

// umami answers as Umami does. What its trackers keep and send back, a session and
// a token for it, says nothing here: it is the same for everybody.
type umami struct{ batch bool }

func (u umami) read(r wire.Request) (wire.Batch, error) {
	if u.batch {
		return wire.UmamiBatch(r)
	}
	return wire.Umami(r)
}

const (
	umamiToken   = "none"
	umamiSession = "00000000-0000-0000-0000-000000000000"
)

func (u umami) answer(w http.ResponseWriter, a answer) {
	switch {
	case u.batch:
		details := make([]any, len(a.Errors))
		for i, e := range a.Errors {
			details[i] = map[string]any{"index": e.Index, "response": umamiError(e)}
		}
		writeJSON(w, http.StatusOK, map[string]any{
			"size": a.size(), "processed": a.size() - len(a.Errors), "errors": len(a.Errors), "details": details, "cache": umamiToken,
		})
	case len(a.Errors) > 0:
		u.refuse(w, a.problem())
	case len(a.Dropped) > 0:
		tell(w, outcomeHeader, "dropped: "+string(a.Dropped[0].Reason))
		writeJSON(w, http.StatusOK, map[string]string{"beep": "boop"})
	default:
		writeJSON(w, http.StatusOK, map[string]string{"cache": umamiToken, "sessionId": umamiSession, "visitId": umamiSession})
	}
}

func (umami) refuse(w http.ResponseWriter, p problem.Problem) { writeJSON(w, p.Status, umamiError(p)) }

func umamiError(p problem.Problem) map[string]any {
	message := p.Detail
	if p.Field != "" {
		message = p.Field + ": " + p.Detail
	}
	return map[string]any{"error": map[string]any{"message": message, "code": p.Code, "status": p.Status}}
}

// segment answers as Segment does: 200 when a message could be taken, with what
// became of the others beside.
type segment struct{ messages string }

func (s segment) read(r wire.Request) (wire.Batch, error) {
	if s.messages == "batch" {
		return wire.SegmentBatch(r)
	}
	return wire.Segment(s.messages, r)
}

func (s segment) answer(w http.ResponseWriter, a answer) {
	if a.allBad() {
		s.refuse(w, a.problem())
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Success bool `json:"success"`
		answer
	}{true, a})
}

func (segment) refuse(w http.ResponseWriter, p problem.Problem) {
	writeJSON(w, p.Status, struct {
		Success bool `json:"success"`
		problem.Problem
	}{false, p})
}

// speak takes the events of requests of a format.
func (f *function) speak(to format) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if batch, ok := f.read(w, r, to); ok {
			f.take(w, r, to, batch)
		}
	}
}

// plausible takes an event of Plausible's trackers, or says what it read.
func (f *function) plausible(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Debug-Request") != "true" {
		f.speak(plausible{})(w, r)
		return
	}
	if batch, ok := f.read(w, r, plausible{}); ok {
		plausible{}.debug(w, batch)
	}
}

// segment takes messages of Segment's libraries.
func (f *function) segment(w http.ResponseWriter, r *http.Request) {
	messages, ok := wire.SegmentType(r.PathValue("type"))
	if !ok {
		notFound(w)
		return
	}
	f.speak(segment{messages})(w, r)
}
