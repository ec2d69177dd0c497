package engine

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

// The codes of a LimitError.
const (
	CodeTooSlow  = "query_too_slow"
	CodeTooLarge = "query_too_large"
	CodeBusy     = "busy"
)

// LimitError reports a question that needs more time or memory than one may have.
type LimitError struct {
	Code   string // CodeTooSlow, CodeTooLarge, or CodeBusy for one whose turn did not come
	Detail string // what to ask instead
}

// Error returns the detail.
func (e *LimitError) Error() string { return e.Detail }

func errTooLarge(memory int64) error {
	return &LimitError{CodeTooLarge, fmt.Sprintf("the answer needs more than %d MB of memory: ask for a shorter date_range, fewer dimensions, a lower limit or more filters", max(1, memory>>20))}
}

func errBusy() error {
	return &LimitError{CodeBusy, "too many questions are being answered: try again in a moment"}
}

// turns are the turns of all questions of an engine.
type turns struct{ small, large, file *turn.Turns }

func newTurns(l Limits) turns {
	of := func(s Share) *turn.Turns { return turn.New(s.Turns, s.Each) }
	return turns{of(l.Small), of(l.Large), of(l.File)}
}

// Turns returns the turns of questions by their kind: small, large and file.
func (e *Engine) Turns() map[string]*turn.Turns {
	return map[string]*turn.Turns{"small": e.turns.small, "large": e.turns.large, "file": e.turns.file}
}

// allowance is what one request may take: a turn, and the memory that belongs to it.
type allowance struct {
	engine *Engine
	client string

	mu     sync.Mutex
	limit  int64 // bytes
	used   int64
	grows  bool   // whether it may still take a large turn
	giveUp func() // gives the turn back
}

type allowanceKey struct{}

// Admit waits until it is the turn of a client's request, and returns a context in which
// questions can be answered. The caller must call done when the answer has been sent. The
// error is a LimitError, or that of the context.
func (e *Engine) Admit(ctx context.Context, client string) (admitted context.Context, done func(), err error) {
	return e.admit(ctx, client, e.turns.small, e.limits.Small, true)
}

// AdmitFile is like Admit, for a request that is answered with a file page by page.
func (e *Engine) AdmitFile(ctx context.Context, client string) (admitted context.Context, done func(), err error) {
	return e.admit(ctx, client, e.turns.file, e.limits.File, false)
}

func (e *Engine) admit(ctx context.Context, client string, from *turn.Turns, share Share, grows bool) (admitted context.Context, done func(), err error) {
	a := &allowance{engine: e, client: client, limit: share.Memory, grows: grows}
	if a.giveUp, err = e.take(ctx, from, client); err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, allowanceKey{}, a), func() { a.giveUp() }, nil
}

// take takes a turn.
func (e *Engine) take(ctx context.Context, from *turn.Turns, client string) (done func(), err error) {
	limited, cancel := context.WithTimeout(ctx, e.limits.Time)
	defer cancel()
	done, err = from.Take(limited, client)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) { // by a client that has gone
		err = errBusy()
	}
	return done, err
}

// errGrow is the error for a small question that needs a large turn, for which it can't wait
// while it has a connection.
var errGrow = errors.New("the question needs a large turn")

// grow exchanges a small turn for a large one.
func (a *allowance) grow(ctx context.Context) error {
	if !a.grows {
		return nil
	}
	a.giveUp() // while this question waits, a small one can have the turn
	a.giveUp = func() {}
	done, err := a.engine.take(ctx, a.engine.turns.large, a.client)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveUp, a.grows, a.limit = done, false, a.engine.limits.Large.Memory
	return nil
}

// add adds bytes to what is used. The error is errGrow or a LimitError.
func (a *allowance) add(bytes int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used += bytes; a.used <= a.limit {
		return nil
	}
	if a.grows {
		return errGrow
	}
	return errTooLarge(a.limit)
}

// setUsed sets what is used to what add has returned before.
func (a *allowance) setUsed(bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = bytes
}

func (a *allowance) usedNow() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// use adds bytes to what is used, and waits for a large turn if it needs one.
func (a *allowance) use(ctx context.Context, bytes int64) error {
	err := a.add(bytes)
	if errors.Is(err, errGrow) {
		if err = a.grow(ctx); err == nil {
			err = a.add(0)
		}
	}
	return err
}

// Use adds bytes to what the request of an admitted context uses, as Session.Use does.
func Use(ctx context.Context, bytes int64) error {
	if a, ok := ctx.Value(allowanceKey{}).(*allowance); ok {
		return a.use(ctx, bytes)
	}
	return nil
}

// Settle says that the request of an admitted context uses only some bytes from now on: its
// answer is complete. A client that reads slowly keeps its turn only for a long one.
func Settle(ctx context.Context, bytes int64) {
	const short = 64 << 10 // the system has buffers for that
	a, ok := ctx.Value(allowanceKey{}).(*allowance)
	if !ok || bytes > short {
		return
	}
	a.giveUp()
	a.giveUp = func() {}
}
