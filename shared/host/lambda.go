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

// serveLambda speaks the protocol of the AWS Lambda runtime, for a function URL
// with the invoke mode RESPONSE_STREAM and for schedules. It returns only if that fails,
// and usually Lambda freezes the process rather than end it.
func serveLambda(instance *Instance) error {
	lambda.StartWithOptions(onLambda(instance), lambda.WithEnableSIGTERM(func() {
		ctx, cancel := context.WithTimeout(context.Background(), lambdaGrace)
		defer cancel()
		if err := instance.Close(ctx); err != nil {
			instance.log.Error("close", "error", err.Error())
		}
	}))
	return errors.New("the Lambda runtime has ended")
}

const (
	// lambdaGrace is what Lambda leaves between SIGTERM and SIGKILL.
	lambdaGrace = 500 * time.Millisecond
	// lambdaMargin is how long before Lambda's timeout a request ends, so that a stream
	// ends in good order and a failure is told, before Lambda kills the process.
	lambdaMargin = time.Second
	// lambdaReason is how much of the answer to a failed call of a schedule is told.
	lambdaReason = 4 << 10
)

type invocation = events.LambdaFunctionURLRequest

type invocationAnswer = events.LambdaFunctionURLStreamingResponse

// onLambda answers what comes from a function URL as an HTTP server would. Whatever
// else calls, such as EventBridge, is a schedule: it stands for a POST to /, and when that
// fails, so does the call, for Lambda to count.
func onLambda(handler http.Handler) func(context.Context, *invocation) (*invocationAnswer, error) {
	return func(ctx context.Context, event *invocation) (*invocationAnswer, error) {
		scheduled := event.RequestContext.HTTP.Method == ""
		if scheduled {
			*event = invocation{RawPath: "/"}
			event.RequestContext.HTTP.Method = http.MethodPost
			event.RequestContext.DomainName = "lambda"
		}
		if len(event.Cookies) > 0 { // which function URLs take out of the header
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
		answer, err := lambdaurl.Wrap(body.noting(handler))(ctx, event)
		if err != nil {
			cancel()
			return nil, err
		}
		body.Reader = answer.Body
		answer.Body = body
		if scheduled && answer.StatusCode >= http.StatusBadRequest {
			text, _ := io.ReadAll(io.LimitReader(body, lambdaReason)) // what can't be read says nothing
			return nil, errors.Join(fmt.Errorf("the call was answered with %d: %s", answer.StatusCode, text), body.Close())
		}
		return answer, nil
	}
}

// lambdaBody is the body of an answer. The Lambda library tells Lambda of an error of
// Read, so that a part of an answer is not taken for the whole.
type lambdaBody struct {
	io.Reader
	cancel  context.CancelFunc
	aborted atomic.Bool
}

var errBrokenOff = errors.New("the answer broke off")

// noting notes when the handler aborts its answer. The Lambda library would take the
// panic for the end of the process.
func (b *lambdaBody) noting(handler http.Handler) http.Handler {
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
		return n, errBrokenOff
	}
	return n, err
}

// Close is called when the answer has been sent, or can't be.
func (b *lambdaBody) Close() error {
	b.cancel()
	if closer, ok := b.Reader.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
