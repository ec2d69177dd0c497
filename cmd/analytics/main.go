// Command analytics is a tool for operators. It recomputes days, replays dead letters and
// imports access logs, without the time limit that the functions have.
//
// It reads DATABASE_URL and REDIS_URL like the functions. It exits with status 0 on
// success, 1 if it found differences and did not replace them, and 2 on errors.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/model/validation"
)

// commands are the command line.
type commands struct {
	Recompute   recomputeCommand `cmd:"" help:"Recompute days of a site from their events, compare them with what is stored, and replace it on request."`
	DeadLetters struct {
		List   listCommand   `cmd:"" help:"List them without their payloads, oldest first."`
		Replay replayCommand `cmd:"" help:"Put them back into the queue, oldest first."`
	} `cmd:"" help:"List or replay the queue entries that could not be stored."`
	ImportLog importCommand `cmd:"" help:"Import page views from access logs of a web server."`
	JSON      bool          `name:"json" help:"Print JSON instead of a table."`
}

// errDifferences is returned if there are differences that were not replaced.
var errDifferences = errors.New("differences were not replaced")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills the process
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errDifferences):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, host.OneLine("analytics", explain(ctx, err)))
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("analytics"), kong.Description("Operate an installation of Analytics. DATABASE_URL and REDIS_URL select it."))
	if err != nil {
		return fmt.Errorf("set up commands: %w", err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w: see analytics --help", err)
	}
	variables := host.Variables(os.Environ())
	log, err := host.NewLogger(os.Stderr, variables)
	if err != nil {
		return err
	}
	process := host.NewProcess(variables, log)
	defer process.Close()
	process.AdoptLibraryLogs()
	command.BindTo(ctx, (*context.Context)(nil))
	return command.Run(process.Env("analytics"), &printer{os.Stdout, c.JSON})
}

// explain returns an error in the form in which it is printed.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if invalid, ok := errors.AsType[*validation.Error](err); ok {
		return fmt.Errorf("--%s %s", invalid.Field, invalid.Detail)
	}
	return err
}

// printer prints the result of a command.
type printer struct {
	to   io.Writer
	json bool
}

// print writes value as JSON, or calls table.
func (p *printer) print(value any, table func(io.Writer) error) error {
	if !p.json {
		return table(p.to)
	}
	encoder := json.NewEncoder(p.to)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// progress shows a progress bar until done is called, if standard error is a terminal.
func progress(total int, description, unit string) (bar *progressbar.ProgressBar, done func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return progressbar.DefaultSilent(int64(total)), func() {}
	}
	bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(description),
		progressbar.OptionSetItsString(unit), progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	// An error of the bar only affects what it shows.
	_ = bar.RenderBlank()
	return bar, func() { _ = bar.Clear() }
}
