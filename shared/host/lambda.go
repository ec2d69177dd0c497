package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdaurl"
)

// serveLambda serves the AWS Lambda runtime API, for a function URL with the invoke mode
// RESPONSE_STREAM and for schedules. It returns only on failure. Lambda usually freezes the
// process instead of ending it.
func serveLambda(instance *Instance) error {
	lambda.StartWithOptions(onLambda(instance), lambda.WithEnableSIGTERM(func() {
		ctx, cancel := context.WithTimeout(context.Background(), lambdaGrace)
		defer cancel()
		if err := instance.Close(ctx); err != nil {
			instance.log.Error("close failed", "error", err.Error())
		}
	}))
	return errors.New("the Lambda runtime has ended")
}

const (
	// lambdaGrace is the time between Lambda's SIGTERM and SIGKILL.
	lambdaGrace = 500 * time.Millisecond
	// lambdaMargin is the time before Lambda's timeout at which a request ends. It leaves
	// time to end a stream or report a failure before Lambda kills the process.
	lambdaMargin = time.Second
	// lambdaReason is the maximum length of the response in the error of a failed schedule.
	lambdaReason = 4 << 10
)

type invocation = events.LambdaFunctionURLRequest

type invocationResponse = events.LambdaFunctionURLStreamingResponse

// onLambda returns a Lambda handler that passes requests of a function URL to handler. It
// treats events of other sources, such as EventBridge, as a schedule: it passes a POST to /
// and fails if the response has an error status, so that Lambda counts the failure.
func onLambda(handler http.Handler) func(context.Context, *invocation) (*invocationResponse, error) {
	return func(ctx context.Context, event *invocation) (*invocationResponse, error) {
		scheduled := event.RequestContext.HTTP.Method == ""
		if scheduled {
			*event = invocation{RawPath: "/"}
			event.RequestContext.HTTP.Method = http.MethodPost
			event.RequestContext.DomainName = "lambda"
		}
		if len(event.Cookies) > 0 { // function URLs remove them from the headers
			if event.Headers == nil {
				event.Headers = map[string]string{}
			}
			event.Headers["cookie"] = strings.Join(event.Cookies, "; ")
		}
		cancel := func() {}
		if deadline, ok := ctx.Deadline(); ok {
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-lambdaMargin))
		}
		body := &lambdaBody{cancel: cancel}
		response, err := lambdaurl.Wrap(body.recordAbort(handler))(ctx, event)
		if err != nil {
			cancel()
			return nil, err
		}
		body.Reader = response.Body
		response.Body = body
		if scheduled && response.StatusCode >= http.StatusBadRequest {
			text, _ := io.ReadAll(io.LimitReader(body, lambdaReason)) // report what can be read
			return nil, errors.Join(fmt.Errorf("the scheduled call failed with status %d: %s", response.StatusCode, text), body.Close())
		}
		return response, nil
	}
}

// lambdaBody is the body of a response. The Lambda library reports an error of Read, so
// that an incomplete response does not look complete.
type lambdaBody struct {
	io.Reader
	cancel  context.CancelFunc
	aborted atomic.Bool
}

var errAborted = errors.New("the response was aborted")

// recordAbort returns a handler that records when handler aborts its response. Without it
// the Lambda library would end the process because of the panic.
func (b *lambdaBody) recordAbort(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch panicked := recover(); panicked {
			case nil:
			case http.ErrAbortHandler:
				b.aborted.Store(true)
			default:
				panic(panicked)
			}
		}()
		handler.ServeHTTP(w, r)
	})
}

func (b *lambdaBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) && b.aborted.Load() {
		return n, errAborted
	}
	return n, err
}

// Close is called when the response has been sent or has failed.
func (b *lambdaBody) Close() error {
	b.cancel()
	if closer, ok := b.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
