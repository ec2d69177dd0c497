package live

import (
	"crypto/rand"
	"errors"
	"fmt"
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

	// bufferSize is how many messages may wait for a subscriber: with visitor counts, more
	// than two seconds of the maximum that a site can send.
	bufferSize = 256
	// historySize is how many events of all sites are kept for subscribers who reconnect.
	// replaySize is the maximum number sent to one of them.
	historySize = 1000
	replaySize  = 100
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
	Data []byte // a JSON document
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

func newEvent(e *event.Event) Event {
	return Event{
		Time: e.Time, Type: e.Type.String(), Name: e.Name, Page: e.Page, Source: e.Source,
		Country: e.Country, Browser: e.Browser, OS: e.OS, Device: e.Device,
	}
}

// Feed sends messages about sites to subscribers. It is safe for concurrent use.
type Feed struct {
	mu     sync.Mutex
	window *Window
	sites  map[int32]*feedSite
	epoch  string // distinguishes the ids of this feed from those of others
	number uint64 // of the last event
	recent []numberedEvent
	closed bool
}

// feedSite is a site with subscribers or events.
type feedSite struct {
	subscriptions map[*Subscription]struct{}
	second        int64     // current second
	sent          int       // events sent in this second
	checked       time.Time // last check for subscribers who need a visitor count
}

// numberedEvent is an event in the history.
type numberedEvent struct {
	number uint64
	site   int32
	event  Event
}

// NewFeed returns an empty feed.
func NewFeed() *Feed {
	return &Feed{window: NewWindow(), sites: map[int32]*feedSite{}, epoch: rand.Text()}
}

// Subscription receives the messages of a site.
type Subscription struct {
	feed     *Feed
	site     int32
	messages chan Message
	visitors int       // last count sent
	sentAt   time.Time // time of the last count
	err      error
}

// Messages returns the channel of messages. It is closed when the subscription ends; Err then
// returns the reason.
func (s *Subscription) Messages() <-chan Message { return s.messages }

// Err returns the reason for the end of the subscription, or nil after Cancel. It must be
// called only after Messages was closed.
func (s *Subscription) Err() error {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.err
}

// Cancel ends the subscription.
func (s *Subscription) Cancel() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.end(nil)
}

// end ends the subscription. The caller holds the feed's lock.
func (s *Subscription) end(err error) {
	site := s.feed.sites[s.site]
	if _, ok := site.subscriptions[s]; !ok {
		return
	}
	delete(site.subscriptions, s)
	s.err = err
	close(s.messages)
}

// send sends a message, or ends the subscription if its buffer is full. The caller holds the
// feed's lock.
func (s *Subscription) send(m Message) {
	select {
	case s.messages <- m:
	default:
		s.end(ErrSlow)
	}
}

// Subscribe starts a subscription. Its first messages are the events after the message with
// the id after, if this feed sent that message and still has the events, and the number of
// visitors.
func (f *Feed) Subscribe(site int32, after string, now time.Time) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f, site: site, messages: make(chan Message, bufferSize)}
	f.site(site).subscriptions[s] = struct{}{}
	if f.closed {
		s.end(ErrClosed)
		return s
	}
	for _, e := range f.missed(site, after) {
		s.send(f.eventMessage(e))
	}
	s.visitors, s.sentAt = f.window.Count(site, now), now
	s.send(f.visitorsMessage(s.visitors))
	return s
}

// missed returns the events of a site after the message with an id.
func (f *Feed) missed(site int32, after string) []numberedEvent {
	epoch, text, _ := strings.Cut(after, "-")
	last, err := strconv.ParseUint(text, 10, 64)
	if err != nil || epoch != f.epoch {
		return nil
	}
	var missed []numberedEvent
	for _, e := range f.recent {
		if e.number > last && e.site == site {
			missed = append(missed, e)
		}
	}
	return missed[max(0, len(missed)-replaySize):]
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
		f.number++
		numbered := numberedEvent{f.number, e.Site, newEvent(e)}
		f.remember(numbered)
		if len(site.subscriptions) > 0 {
			message := f.eventMessage(numbered)
			for s := range site.subscriptions {
				s.send(message)
			}
		}
	}
	if now.Sub(site.checked) >= checkEvery {
		f.sendVisitors(e.Site, site, now)
	}
}

// remember adds an event to the history. It removes the oldest half at once, so that most
// calls move nothing.
func (f *Feed) remember(e numberedEvent) {
	if len(f.recent) == 2*historySize {
		f.recent = append(f.recent[:0], f.recent[historySize:]...)
	}
	f.recent = append(f.recent, e)
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
	var message Message
	for s := range site.subscriptions {
		if s.visitors == visitors || now.Sub(s.sentAt) < VisitorsEvery {
			continue
		}
		if message.Data == nil {
			message = f.visitorsMessage(visitors)
		}
		s.visitors, s.sentAt = visitors, now
		s.send(message)
	}
}

// Close ends all subscriptions, including future ones.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, site := range f.sites {
		for s := range site.subscriptions {
			s.end(ErrClosed)
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

func (f *Feed) eventMessage(e numberedEvent) Message {
	return f.message(TypeEvent, e.number, struct {
		Type  string `json:"type"`
		Event Event  `json:"event"`
	}{TypeEvent, e.event})
}

// visitorsMessage has the id of the last event, so that a subscriber who resumes after it
// misses no event.
func (f *Feed) visitorsMessage(visitors int) Message {
	return f.message(TypeVisitors, f.number, struct {
		Type     string `json:"type"`
		Visitors int    `json:"visitors"`
	}{TypeVisitors, visitors})
}

func (f *Feed) message(kind string, number uint64, document any) Message {
	data, err := json.Marshal(document, jsontext.AllowInvalidUTF8(true))
	if err != nil { // can't happen: every type in a message can be encoded
		panic(err)
	}
	return Message{kind, fmt.Sprintf("%s-%d", f.epoch, number), data}
}
