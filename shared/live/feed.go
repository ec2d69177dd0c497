package live

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/analytics-platform/analytics/shared/model/event"
)

const (
	// VisitorsEvery is the minimum time between two visitor counts sent to a subscriber.
	VisitorsEvery = time.Second
	// EventsPerSecond is the maximum number of events of a site sent in a second. Later
	// events are left out: nobody can read more.
	EventsPerSecond = 100

	// checkEvery is the minimum time between two checks, on an event, for subscribers who
	// need a new visitor count. A check of many subscribers is slow.
	checkEvery = 100 * time.Millisecond

	// historySize is how many events of a site are kept, for its subscribers and for those who
	// reconnect: more than two seconds of the maximum that a site can send.
	historySize = 256
	// replaySize is the maximum number of earlier events sent to one who reconnects.
	replaySize = 100
	// historyShare is the share of a feed's memory that the events of all sites may take. The
	// rest is for the visitors.
	historyShare = 8
	// eventOverhead is about how much memory an event in the history takes besides its texts.
	eventOverhead = 400
)

// Reasons for the end of a subscription.
var (
	// ErrSlow: the subscriber did not receive its messages in time.
	ErrSlow = errors.New("too slow to follow")
	// ErrClosed: the feed was closed.
	ErrClosed = errors.New("the feed is closing")
)

// Types of messages.
const (
	TypeVisitors = "visitors"
	TypeEvent    = "event"
)

// Message is a message to subscribers.
type Message struct {
	Type string
	ID   string // passed to Subscribe, resumes after this message
	Data []byte // a JSON document; all subscribers share it
}

// Event has the fields of an event that subscribers receive.
type Event struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Name    string    `json:"name"`
	Page    string    `json:"page"`
	Source  string    `json:"source"`
	Country string    `json:"country"`
	Browser string    `json:"browser"`
	OS      string    `json:"os"`
	Device  string    `json:"device"`
}

// newEvent returns the fields of e and the size of their texts. They share no memory with e,
// which would keep all of e's queue entry in memory.
func newEvent(e *event.Event) (out Event, size int64) {
	out = Event{
		Time: e.Time, Type: e.Type.String(), Name: e.Name, Page: e.Page, Source: e.Source,
		Country: e.Country, Browser: e.Browser, OS: e.OS, Device: e.Device,
	}
	texts := []*string{&out.Name, &out.Page, &out.Source, &out.Country, &out.Browser, &out.OS, &out.Device}
	var all strings.Builder
	for _, text := range texts {
		size += int64(len(*text))
	}
	all.Grow(int(size))
	for _, text := range texts {
		all.WriteString(*text)
	}
	rest := all.String()
	for _, text := range texts {
		*text, rest = rest[:len(*text)], rest[len(*text):]
	}
	return out, size
}

// Feed sends messages about sites to subscribers. It is safe for concurrent use.
//
// A subscriber has no queue of its own: it reads the history of its site, which all
// subscribers share. One that has not read an event when the history forgets it is too slow.
type Feed struct {
	epoch string // distinguishes the ids of this feed from those of others

	mu     sync.RWMutex // held for reading by subscribers who read the history
	window *Window
	sites  map[int32]*feedSite
	bytes  int64 // of the history of all sites
	most   int64 // of bytes
	closed bool
}

// feedSite is a site with subscribers or events. Its events are numbered from 1, so that ids
// tell nothing about other sites.
type feedSite struct {
	subscriptions map[*Subscription]struct{}
	history       []*pastEvent // the last events
	last          uint64       // number of the last event
	second        int64        // current second
	sent          int          // events sent in this second
	checked       time.Time    // last check for subscribers who need a visitor count
}

// pastEvent is an event in the history.
type pastEvent struct {
	event Event
	bytes int64
	data  []byte // its message; nil until there is a subscriber
}

// NewFeed returns an empty feed that may take about memory bytes, besides what subscribers take.
func NewFeed(memory int64) *Feed {
	history := memory / historyShare
	return &Feed{window: NewWindow(memory - history), most: history, sites: map[int32]*feedSite{}, epoch: rand.Text()}
}

// Subscription receives the messages of a site.
type Subscription struct {
	feed     *Feed
	site     *feedSite
	ready    chan struct{}
	next     uint64    // number of the next event to receive
	count    []byte    // message with a visitor count to receive; nil if there is none
	visitors int       // in the last count
	sentAt   time.Time // time of the last count
	ended    error
}

// Ready returns a channel that receives a value when there may be messages, or the
// subscription has ended.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Next returns the messages that the subscriber has not received yet, or the reason for the end
// of the subscription. It never waits. It must not be called concurrently.
func (s *Subscription) Next() ([]Message, error) {
	s.feed.mu.RLock()
	defer s.feed.mu.RUnlock()
	if s.ended != nil {
		return nil, s.ended
	}
	history := s.site.history
	missing := s.site.last + 1 - s.next
	if missing > uint64(len(history)) {
		return nil, ErrSlow
	}
	messages := make([]Message, 0, missing+1)
	for _, e := range history[uint64(len(history))-missing:] {
		messages = append(messages, Message{TypeEvent, s.feed.id(s.next), e.data})
		s.next++
	}
	if s.count != nil {
		// The id is that of the last event, so that a subscriber who resumes misses none.
		messages = append(messages, Message{TypeVisitors, s.feed.id(s.next - 1), s.count})
		s.count = nil
	}
	return messages, nil
}

// Cancel ends the subscription.
func (s *Subscription) Cancel() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.site.subscriptions, s)
}

// wake makes the subscriber call Next.
func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it will do so anyway
	}
}

// setVisitors sets the visitor count to receive next. The caller holds the feed's lock.
func (s *Subscription) setVisitors(visitors int, message []byte, now time.Time) {
	s.visitors, s.sentAt, s.count = visitors, now, message
	s.wake()
}

// Subscribe starts a subscription. Its first messages are the events after the message with
// the id after, if this feed sent that message and still has the events, and the number of
// visitors.
func (f *Feed) Subscribe(site int32, after string, now time.Time) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f, site: f.site(site), ready: make(chan struct{}, 1)}
	if f.closed {
		s.ended = ErrClosed
		s.wake()
		return s
	}
	s.site.subscriptions[s] = struct{}{}
	missed := f.missed(s.site, after)
	for _, e := range missed {
		f.encode(e)
	}
	s.next = s.site.last + 1 - uint64(len(missed))
	visitors := f.window.Count(site, now)
	s.setVisitors(visitors, visitorsMessage(visitors), now)
	return s
}

// missed returns the events of a site after the message with an id.
func (f *Feed) missed(site *feedSite, after string) []*pastEvent {
	epoch, text, _ := strings.Cut(after, "-")
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || epoch != f.epoch || number >= site.last {
		return nil
	}
	n := min(site.last-number, uint64(len(site.history)), replaySize)
	return site.history[uint64(len(site.history))-n:]
}

// AddVisitor records that a visitor was seen, without sending an event.
func (f *Feed) AddVisitor(site int32, visitor int64, at, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window.Add(site, visitor, at, now)
}

// AddEvent sends an event to subscribers. An engagement is not sent, but makes its visitor a
// current one.
func (f *Feed) AddEvent(e *event.Event, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.window.Add(e.Site, e.Visitor, e.Time, now)
	site := f.site(e.Site)
	if second := now.Unix(); site.second != second {
		site.second, site.sent = second, 0
	}
	if e.Type.Counts() && site.sent < EventsPerSecond {
		site.sent++
		f.remember(site, e)
		for s := range site.subscriptions {
			s.wake()
		}
	}
	if now.Sub(site.checked) >= checkEvery {
		f.sendVisitors(e.Site, site, now)
	}
}

// remember adds an event to the history of a site.
func (f *Feed) remember(site *feedSite, e *event.Event) {
	past := &pastEvent{}
	past.event, past.bytes = newEvent(e)
	past.bytes += eventOverhead
	f.bytes += past.bytes
	if len(site.subscriptions) > 0 {
		f.encode(past)
	}
	if len(site.history) >= historySize {
		f.forget(site, 1)
	}
	site.history = append(site.history, past)
	site.last++
	if f.bytes > f.most { // rare, because it frees half of them
		for _, site := range f.sites {
			f.forget(site, (len(site.history)+1)/2)
		}
	}
}

// forget removes the n oldest events from the history of a site.
func (f *Feed) forget(site *feedSite, n int) {
	for i, e := range site.history[:n] {
		f.bytes -= e.bytes
		site.history[i] = nil
	}
	site.history = site.history[n:]
}

// encode makes the message of an event, if it has none.
func (f *Feed) encode(e *pastEvent) {
	if e.data != nil {
		return
	}
	e.data = document(struct {
		Type  string `json:"type"`
		Event Event  `json:"event"`
	}{TypeEvent, e.event})
	e.bytes += int64(len(e.data))
	f.bytes += int64(len(e.data))
}

// Tick sends the number of visitors to subscribers if it has changed. It must be called
// several times a second, because no event marks the end of a visit.
func (f *Feed) Tick(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, site := range f.sites {
		f.sendVisitors(id, site, now)
	}
}

// sendVisitors sends the number of visitors to the subscribers of a site who need it.
func (f *Feed) sendVisitors(id int32, site *feedSite, now time.Time) {
	if len(site.subscriptions) == 0 {
		return
	}
	site.checked = now
	visitors := f.window.Count(id, now)
	var message []byte
	for s := range site.subscriptions {
		if s.visitors == visitors || now.Sub(s.sentAt) < VisitorsEvery {
			continue
		}
		if message == nil {
			message = visitorsMessage(visitors)
		}
		s.setVisitors(visitors, message, now)
	}
}

// Close ends all subscriptions, including future ones.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, site := range f.sites {
		for s := range site.subscriptions {
			s.ended = ErrClosed
			s.wake()
		}
	}
}

func (f *Feed) site(id int32) *feedSite {
	site := f.sites[id]
	if site == nil {
		site = &feedSite{subscriptions: map[*Subscription]struct{}{}}
		f.sites[id] = site
	}
	return site
}

// id returns the id of the message with an event's number.
func (f *Feed) id(number uint64) string { return f.epoch + "-" + strconv.FormatUint(number, 10) }

func visitorsMessage(visitors int) []byte {
	return document(struct {
		Type     string `json:"type"`
		Visitors int    `json:"visitors"`
	}{TypeVisitors, visitors})
}

func document(value any) []byte {
	data, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true))
	if err != nil { // can't happen: every type in a message can be encoded
		panic(err)
	}
	return data
}
