package host

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdaurl"
)

// serveLambda speaks the protocol of the AWS Lambda runtime, for a function URL
// with the invoke mode RESPONSE_STREAM. It returns only if that fails, and usually
// Lambda freezes the process rather than end it.
func serveLambda(instance *Instance) error {
	lambda.StartWithOptions(lambdaurl.Wrap(withoutAborts(instance)), lambda.WithEnableSIGTERM(func() {
		ctx, cancel := context.WithTimeout(context.Background(), lambdaGrace)
		defer cancel()
		if err := instance.Close(ctx); err != nil {
			instance.log.Error("close", "error", err.Error())
		}
	}))
	return errors.New("the Lambda runtime has ended")
}

// lambdaGrace is what Lambda leaves between SIGTERM and SIGKILL.
const lambdaGrace = 500 * time.Millisecond

// withoutAborts ends an answer that a handler aborts. The Lambda library would
// take the panic for the end of the process.
func withoutAborts(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if panicked := recover(); panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
				panic(panicked)
			}
		}()
		handler.ServeHTTP(w, r)
	})
}
