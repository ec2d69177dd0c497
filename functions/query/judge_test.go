package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const (
	document  = "openapi.json"
	validator = "../../tools/openapi"
)

// judge is a process of tools/openapi, which holds exchanges to the document. It ends with
// the tests.
type judge struct {
	mu       sync.Mutex
	requests *json.Encoder
	verdicts *json.Decoder
}

// verdict says what of an exchange the document has not; nothing is "".
type verdict struct{ Request, Answer string }

// startedJudge is the judge of all tests here.
var startedJudge = sync.OnceValues(startJudge)

func startJudge() (_ *judge, err error) {
	folder, err := os.MkdirTemp("", "analytics-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program := filepath.Join(folder, "openapi")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", program, ".")
	build.Dir = validator
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w: %s", validator, err, output)
	}
	process := exec.CommandContext(context.Background(), program, document)
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &judge{requests: json.NewEncoder(in), verdicts: json.NewDecoder(out)}, process.Start()
}

// verdict holds a request and an answer with this body to the document.
func (j *judge) verdict(t *testing.T, request *http.Request, response *http.Response, answer []byte) (found verdict) {
	t.Helper()
	asked, _ := io.ReadAll(request.Body) // a body that is cut is what came of it
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.requests.Encode(map[string]any{
		"Method": request.Method, "URL": request.URL.String(), "Asked": request.Header, "Request": asked,
		"Status": response.StatusCode, "Answered": response.Header, "Answer": answer,
	})
	if err != nil {
		t.Fatalf("ask %s: %v", validator, err)
	}
	if err := j.verdicts.Decode(&found); err != nil {
		t.Fatalf("ask %s: %v", validator, err)
	}
	return found
}
