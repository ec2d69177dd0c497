// Package admission decides when requests are answered, and how much memory each may take:
// small questions, large ones and files have turns of their own, which clients share fairly.
package admission

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/analytics-platform/analytics/shared/query/turn"
)

// Limits bound what questions may take.
type Limits struct {
	Time  time.Duration // for an answer, and before it until its turn has come
	Small Share         // of any question
	Large Share         // of a question that scans days or has many rows
	File  Share         // of a file that is sent page by page
}

// Share is what questions of a kind may take.
type Share struct {
	Memory int64 // bytes of one, for what grows with its data; an estimate
	Turns  int   // how many there are at once
	Each   int   // of one client
}

const (
	maxTime = 10 * time.Second

	// fixedMemory is what the function takes besides questions: the program and cached
	// answers.
	fixedMemory = 40 << 20
	// leastLarge and mostLarge bound the memory of a large question.
	leastLarge, mostLarge = 40 << 20, 512 << 20
)

// LimitsFor returns the limits of questions in a process that may use some bytes of memory
// and some connections to the database. There are more large questions than processors, so
// that these have work while another one reads, and fewer than connections, so that one is
// always free. Five sixteenths of the memory are for garbage, and for what the estimates
// leave out: so the function does not come to refuse requests for lack of memory.
func LimitsFor(memory int64, connections int) Limits {
	l := Limits{Time: maxTime, Small: Share{1 << 20, 12, 6}, File: Share{6 << 20, 3, 2}}
	left := memory*11/16 - fixedMemory - int64(l.Small.Turns)*l.Small.Memory - int64(l.File.Turns)*l.File.Memory
	l.Large.Turns = max(1, min(runtime.GOMAXPROCS(0)+1, connections-1, int(left/leastLarge)))
	l.Large.Each = max(1, l.Large.Turns-1)
	l.Large.Memory = min(max(left/int64(l.Large.Turns), leastLarge/2), mostLarge)
	return l
}

// The codes of an Error.
const (
	CodeTooSlow  = "query_too_slow"
	CodeTooLarge = "query_too_large"
	CodeBusy     = "busy"
)

// Error reports a question that needs more time or memory than one may have.
type Error struct {
	Code   string // CodeTooSlow, CodeTooLarge, or CodeBusy for one whose turn did not come
	Detail string // what to ask instead
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

func errTooLarge(memory int64) error {
	return &Error{CodeTooLarge, fmt.Sprintf("the answer needs more than %d MB of memory: ask for a shorter date_range, fewer dimensions, a lower limit or more filters", max(1, memory>>20))}
}

func errBusy() error {
	return &Error{CodeBusy, "too many questions are being answered: try again in a moment"}
}

// Gate gives requests their turns. It is safe for concurrent use.
type Gate struct {
	limits             Limits
	small, large, file *turn.Turns
}

// New returns a Gate.
func New(l Limits) *Gate {
	of := func(s Share) *turn.Turns { return turn.New(s.Turns, s.Each) }
	return &Gate{l, of(l.Small), of(l.Large), of(l.File)}
}

// Time returns how long an answer may take.
func (g *Gate) Time() time.Duration { return g.limits.Time }

// Turns returns the turns of questions by their kind: small, large and file.
func (g *Gate) Turns() map[string]*turn.Turns {
	return map[string]*turn.Turns{"small": g.small, "large": g.large, "file": g.file}
}

// Allowance is what one request may take: a turn, and the memory that belongs to it. Its
// memory is safe for concurrent use.
type Allowance struct {
	gate   *Gate
	client string

	mu     sync.Mutex
	limit  int64 // bytes
	used   int64
	grows  bool   // whether it may still take a large turn
	giveUp func() // gives the turn back
}

type allowanceKey struct{}

// Of returns what the request of an admitted context may take; ok is false for another
// context.
func Of(ctx context.Context) (a *Allowance, ok bool) {
	a, ok = ctx.Value(allowanceKey{}).(*Allowance)
	return a, ok
}

// Admit waits until it is the turn of a client's request, and returns a context in which
// questions can be answered. The caller must call done when the answer has been sent. The
// error is an Error, or that of the context.
func (g *Gate) Admit(ctx context.Context, client string) (admitted context.Context, done func(), err error) {
	return g.admit(ctx, client, g.small, g.limits.Small, true)
}

// AdmitFile is like Admit, for a request that is answered with a file page by page.
func (g *Gate) AdmitFile(ctx context.Context, client string) (admitted context.Context, done func(), err error) {
	return g.admit(ctx, client, g.file, g.limits.File, false)
}

func (g *Gate) admit(ctx context.Context, client string, from *turn.Turns, share Share, grows bool) (admitted context.Context, done func(), err error) {
	a := &Allowance{gate: g, client: client, limit: share.Memory, grows: grows}
	if a.giveUp, err = g.take(ctx, from, client); err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, allowanceKey{}, a), func() { a.giveUp() }, nil
}

// take takes a turn.
func (g *Gate) take(ctx context.Context, from *turn.Turns, client string) (done func(), err error) {
	limited, cancel := context.WithTimeout(ctx, g.limits.Time)
	defer cancel()
	done, err = from.Take(limited, client)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) { // by a client that has gone
		err = errBusy()
	}
	return done, err
}

// ErrGrow is the error for a small question that needs a large turn, for which it can't wait
// while it has a connection.
var ErrGrow = errors.New("the question needs a large turn")

// Grow exchanges a small turn for a large one, for which it waits. Questions that read events
// do so before they begin. The error is an Error, or that of the context.
func (a *Allowance) Grow(ctx context.Context) error {
	if !a.grows {
		return nil
	}
	a.giveUp() // while this question waits, a small one can have the turn
	a.giveUp = func() {}
	done, err := a.gate.take(ctx, a.gate.large, a.client)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveUp, a.grows, a.limit = done, false, a.gate.limits.Large.Memory
	return nil
}

// Add adds bytes to what is used; a negative number gives some back, and never fails. The
// error is ErrGrow or an Error.
func (a *Allowance) Add(bytes int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used += bytes; bytes < 0 || a.used <= a.limit {
		return nil
	}
	if a.grows {
		return ErrGrow
	}
	return errTooLarge(a.limit)
}

// SetUsed sets what is used to what Used has returned before.
func (a *Allowance) SetUsed(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = bytes
}

// Used returns how many bytes are used.
func (a *Allowance) Used() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// Left returns how many bytes may still be used.
func (a *Allowance) Left() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.limit - a.used)
}

// Limit returns how many bytes may be used in all.
func (a *Allowance) Limit() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.limit
}

// TooLarge returns the error for a question that needs more memory than one may have.
func (a *Allowance) TooLarge() error { return errTooLarge(a.Limit()) }

// Use adds bytes to what is used, and waits for a large turn if it needs one. The error is an
// Error, or that of the context.
func (a *Allowance) Use(ctx context.Context, bytes int64) error {
	err := a.Add(bytes)
	if errors.Is(err, ErrGrow) {
		if err = a.Grow(ctx); err == nil {
			err = a.Add(0)
		}
	}
	return err
}

// Use adds bytes to what the request of an admitted context uses, see Allowance.Use.
func Use(ctx context.Context, bytes int64) error {
	if a, ok := Of(ctx); ok {
		return a.Use(ctx, bytes)
	}
	return nil
}

// Settle says that the request of an admitted context uses only some bytes from now on: its
// answer is complete. A client that reads slowly keeps its turn only for a long one.
func Settle(ctx context.Context, bytes int64) {
	const short = 64 << 10 // the system has buffers for that
	a, ok := Of(ctx)
	if !ok || bytes > short {
		return
	}
	a.giveUp()
	a.giveUp = func() {}
}
