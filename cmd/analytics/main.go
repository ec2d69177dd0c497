// Command analytics is for whoever runs an installation: it counts days again, puts
// dead letters back and imports access logs, for as long as that takes, where the functions have a minute.
//
// It is told DATABASE_URL and REDIS_URL as the functions are, and exits with 0 when all
// is right, 1 when differences were found and left, 2 when it could not do its work.
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

// commands are what it can be told.
type commands struct {
	Recompute   recomputeCommand `cmd:"" help:"Count days of a site again from their events, compare with what is stored, and replace it if asked to."`
	DeadLetters struct {
		List   listCommand   `cmd:"" help:"List them, oldest first; never what they hold."`
		Replay replayCommand `cmd:"" help:"Put them back into the queue, oldest first."`
	} `cmd:"" help:"The queue entries that could not be stored."`
	ImportLog importCommand `cmd:"" help:"Count the page views in access logs of a web server."`
	JSON      bool          `name:"json" help:"Print JSON instead of a table."`
}

// errLeft says that there are differences that were not replaced.
var errLeft = errors.New("differences were left")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errLeft):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, host.OneLine("analytics", explain(ctx, err)))
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("analytics"), kong.Description("For whoever runs an installation of Analytics. DATABASE_URL and REDIS_URL say where it is."))
	if err != nil {
		return fmt.Errorf("set up the commands: %w", err)
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

// explain says an error as a person at a terminal should read it.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if invalid, ok := errors.AsType[*validation.Error](err); ok {
		return fmt.Errorf("--%s %s", invalid.Field, invalid.Detail)
	}
	return err
}

// printer writes what a command found.
type printer struct {
	to   io.Writer
	json bool
}

// print writes value as JSON, or what table writes.
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

// progress is a bar on the terminal, if there is one, until done is called.
func progress(total int, doing, unit string) (bar *progressbar.ProgressBar, done func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return progressbar.DefaultSilent(int64(total)), func() {}
	}
	bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(doing),
		progressbar.OptionSetItsString(unit), progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	_ = bar.RenderBlank()                  // it only draws
	return bar, func() { _ = bar.Clear() } // as this
}
