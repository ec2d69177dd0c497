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
	// VisitorsEvery is how often, at most, a subscriber is told the number of
	// visitors.
	VisitorsEvery = time.Second
	// EventsPerSecond is how many events of a site are told of in a second, the
	// first ones. Nobody can read more.
	EventsPerSecond = 100

	// checkEvery is how often events make it be looked who must be told the number
	// of visitors: it takes a while when there are many.
	checkEvery = 100 * time.Millisecond

	// pending is how many messages may wait for a subscriber: with those for a
	// visitor count, more than two seconds of the most that a site can bring.
	pending = 256
	// remembered is how many events, of all sites, a subscriber who comes back can
	// be told of, and replayed is how many of these at most.
	remembered = 1000
	replayed   = 100
)

// Why a subscription ended.
var (
	// ErrSlow: the subscriber did not take its messages in time.
	ErrSlow = errors.New("too slow to follow")
	// ErrClosed: the feed was closed.
	ErrClosed = errors.New("the feed is closing")
)

// The types of messages.
const (
	TypeVisitors = "visitors"
	TypeEvent    = "event"
)

// Message is something that subscribers are told.
type Message struct {
	Type string
	ID   string // subscribe with it to be told what came after the message
	Data []byte // a JSON document
}

// Event is all that is told of an event.
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

func eventOf(e *event.Event) Event {
	return Event{
		Time: e.Time, Type: e.Type.String(), Name: e.Name, Page: e.Page, Source: e.Source,
		Country: e.Country, Browser: e.Browser, OS: e.OS, Device: e.Device,
	}
}

// Feed tells subscribers what happens on a site. It is safe for concurrent use.
type Feed struct {
	mu     sync.Mutex
	window *Window
	sites  map[int32]*feedSite
	epoch  string // tells this feed's ids from those of any other
	number uint64 // of the last event
	recent []numbered
	closed bool
}

// feedSite is a site that has subscribers or had an event.
type feedSite struct {
	subscriptions map[*Subscription]struct{}
	second        int64     // for which events are counted
	told          int       // events in it
	checked       time.Time // when it was last looked who must be told the visitors
}

// numbered is an event that a subscriber may still be told of.
type numbered struct {
	number uint64
	site   int32
	event  Event
}

// NewFeed returns a feed that knows of nobody.
func NewFeed() *Feed {
	return &Feed{window: NewWindow(), sites: map[int32]*feedSite{}, epoch: rand.Text()}
}

// Subscription is one who is told what happens on a site.
type Subscription struct {
	feed     *Feed
	site     int32
	messages chan Message
	visitors int       // told last
	toldAt   time.Time // when that was
	err      error
}

// Messages are what the subscriber is told. The channel is closed when the
// subscription ends; Err then says why.
func (s *Subscription) Messages() <-chan Message { return s.messages }

// Err is why the subscription ended. Ask only after Messages was closed.
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

// end is called with the feed locked.
func (s *Subscription) end(err error) {
	site := s.feed.sites[s.site]
	if _, ok := site.subscriptions[s]; !ok {
		return
	}
	delete(site.subscriptions, s)
	s.err = err
	close(s.messages)
}

// tell is called with the feed locked.
func (s *Subscription) tell(m Message) {
	select {
	case s.messages <- m:
	default:
		s.end(ErrSlow)
	}
}

// Subscribe begins a subscription: first come the events after the message with
// the id after, if it is one of this feed's and they are remembered, then the
// number of visitors.
func (f *Feed) Subscribe(site int32, after string, now time.Time) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f, site: site, messages: make(chan Message, pending)}
	f.site(site).subscriptions[s] = struct{}{}
	if f.closed {
		s.end(ErrClosed)
		return s
	}
	for _, e := range f.missed(site, after) {
		s.tell(f.eventMessage(e))
	}
	s.visitors, s.toldAt = f.window.Count(site, now), now
	s.tell(f.visitorsMessage(s.visitors))
	return s
}

// missed are the events of a site after the message with an id.
func (f *Feed) missed(site int32, after string) []numbered {
	epoch, text, _ := strings.Cut(after, "-")
	last, err := strconv.ParseUint(text, 10, 64)
	if err != nil || epoch != f.epoch {
		return nil
	}
	var missed []numbered
	for _, e := range f.recent {
		if e.number > last && e.site == site {
			missed = append(missed, e)
		}
	}
	return missed[max(0, len(missed)-replayed):]
}

// Seen notes that a visitor was seen, without an event to tell of.
func (f *Feed) Seen(site int32, visitor int64, at, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window.Add(site, visitor, at, now)
}

// Take tells of an event that has come in. Of an engagement it tells nothing, but
// whoever reads a page is a current visitor.
func (f *Feed) Take(e *event.Event, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.window.Add(e.Site, e.Visitor, e.Time, now)
	site := f.site(e.Site)
	if second := now.Unix(); site.second != second {
		site.second, site.told = second, 0
	}
	if e.Type.Counts() && site.told < EventsPerSecond {
		site.told++
		f.number++
		one := numbered{f.number, e.Site, eventOf(e)}
		f.remember(one)
		if len(site.subscriptions) > 0 {
			message := f.eventMessage(one)
			for s := range site.subscriptions {
				s.tell(message)
			}
		}
	}
	if now.Sub(site.checked) >= checkEvery {
		f.tellVisitors(e.Site, site, now)
	}
}

// remember keeps the last events. The oldest half goes at once, so that the rest
// need not be moved for each.
func (f *Feed) remember(e numbered) {
	if len(f.recent) == 2*remembered {
		f.recent = append(f.recent[:0], f.recent[remembered:]...)
	}
	f.recent = append(f.recent, e)
}

// Tick tells whoever does not know it yet how many visitors there are. Call it
// several times a second: visitors go without a sign.
func (f *Feed) Tick(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, site := range f.sites {
		f.tellVisitors(id, site, now)
	}
}

func (f *Feed) tellVisitors(id int32, site *feedSite, now time.Time) {
	if len(site.subscriptions) == 0 {
		return
	}
	site.checked = now
	visitors := f.window.Count(id, now)
	var message Message
	for s := range site.subscriptions {
		if s.visitors == visitors || now.Sub(s.toldAt) < VisitorsEvery {
			continue
		}
		if message.Data == nil {
			message = f.visitorsMessage(visitors)
		}
		s.visitors, s.toldAt = visitors, now
		s.tell(message)
	}
}

// Close ends all subscriptions, and any to come.
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

func (f *Feed) eventMessage(e numbered) Message {
	return f.message(TypeEvent, e.number, struct {
		Type  string `json:"type"`
		Event Event  `json:"event"`
	}{TypeEvent, e.event})
}

// visitorsMessage has the id of the last event: nothing is lost after it.
func (f *Feed) visitorsMessage(visitors int) Message {
	return f.message(TypeVisitors, f.number, struct {
		Type     string `json:"type"`
		Visitors int    `json:"visitors"`
	}{TypeVisitors, visitors})
}

func (f *Feed) message(kind string, number uint64, document any) Message {
	data, err := json.Marshal(document, jsontext.AllowInvalidUTF8(true))
	if err != nil { // nothing else in a message can fail to encode
		panic(err)
	}
	return Message{kind, fmt.Sprintf("%s-%d", f.epoch, number), data}
}
