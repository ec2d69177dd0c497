package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/analytics-platform/analytics/shared/host"
	"github.com/analytics-platform/analytics/shared/ingest/accesslog"
	"github.com/analytics-platform/analytics/shared/ingest/enrich"
	"github.com/analytics-platform/analytics/shared/ingest/pipeline"
	"github.com/analytics-platform/analytics/shared/ingest/registry"
	"github.com/analytics-platform/analytics/shared/model/event"
	"github.com/analytics-platform/analytics/shared/privacy"
	"github.com/analytics-platform/analytics/shared/queue"
	"github.com/analytics-platform/analytics/shared/storage/sites"
)

type importCommand struct {
	Site        string   `required:"" placeholder:"example.com" help:"Domain or public id of the site."`
	GeoDatabase string   `env:"GEO_DATABASE" placeholder:"FILE" help:"City database in MaxMind format (.mmdb), for regions and cities."`
	Datacenters string   `env:"DATACENTER_NETWORKS" placeholder:"FILE" help:"List of networks, one per line, whose requests come from programs."`
	Files       []string `arg:"" default:"-" help:"Access logs in the combined format, plain or gzipped; - for standard input."`
}

const (
	// importBatch is the number of views that are queued at once.
	importBatch = 1000
	// maxLine is the maximum length of a line in bytes. Longer lines are unreadable.
	maxLine = 64 << 10
	// maxExamples is the maximum number of unreadable lines that are reported.
	maxExamples = 10
)

// The reasons to skip a line that only an import has.
const (
	otherHost pipeline.Reason = "host"    // the host does not belong to the site
	future    pipeline.Reason = "future"  // the time is in the future
	invalid   pipeline.Reason = "invalid" // it makes no valid event, for example because the URL is too long
)

// importResult is printed as JSON.
type importResult struct {
	Lines      int64                     `json:"lines"`
	Views      int64                     `json:"views"` // queued views; stored ones among them are not counted again
	LeftOut    map[pipeline.Reason]int64 `json:"left_out"`
	Masked     map[pipeline.Reason]int64 `json:"masked"` // queued views from which something was taken out
	Unreadable int64                     `json:"unreadable"`
	Examples   []string                  `json:"examples"` // positions of unreadable lines and errors, never their content
}

// Run queues the views in access logs.
func (c *importCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	files, total, err := openAll(c.Files)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			_ = f.Close() // opened for reading
		}
	}()
	i, err := newImporter(ctx, env, c.Site, enrich.Files{Places: c.GeoDatabase, Datacenters: c.Datacenters})
	if err != nil {
		return err
	}
	defer i.writer.Close()
	bar, done := progress(total, "importing", "bytes")
	for n, f := range files {
		i.file = c.Files[n]
		before := i.result.Lines
		read := progressbar.NewReader(f, bar)
		if err = i.read(ctx, &read); err != nil {
			break
		}
		if !p.json && !term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintf(os.Stderr, "%s: %d lines\n", i.file, i.result.Lines-before)
		}
	}
	done()
	return errors.Join(err, p.print(i.result, i.result.table))
}

// openAll opens files and returns their total size in bytes; -1 if it is unknown.
func openAll(names []string) (files []*os.File, total int, err error) {
	for _, name := range names {
		if name == "-" {
			files, total = append(files, os.Stdin), -1
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, fmt.Errorf("open log: %w", err)
		}
		info, err := f.Stat()
		if err != nil {
			return nil, 0, fmt.Errorf("open log: %w", err)
		}
		if info.IsDir() {
			return nil, 0, fmt.Errorf("%s is a directory: name its files", name)
		}
		files = append(files, f)
		if total >= 0 {
			total += int(info.Size())
		}
	}
	return files, total, nil
}

// importer turns lines into events by the rules of track.
type importer struct {
	site      sites.Site
	pipeline  *pipeline.Pipeline
	directory *importDirectory
	writer    *queue.Writer
	memory    *queue.MemoryGuard
	now       time.Time

	file    string // the current one
	pending []*event.Event
	result  importResult
}

func newImporter(ctx context.Context, env *host.Env, site string, files enrich.Files) (*importer, error) {
	var config struct {
		SaltKeys privacy.SaltKeys `env:"SALT_KEY,secret,required" envDoc:"the key of track and aggregate that encrypts the salts of visitors"`
	}
	if err := env.Parse(&config); err != nil {
		return nil, err
	}
	db, err := env.Record(ctx)
	if err != nil {
		return nil, err
	}
	i := &importer{now: time.Now(), result: importResult{LeftOut: map[pipeline.Reason]int64{}, Masked: map[pipeline.Reason]int64{}, Examples: []string{}}}
	if i.site, err = sites.Find(ctx, db, site); errors.Is(err, sites.ErrNoSite) {
		return nil, fmt.Errorf("--site: there is no site %s", site)
	} else if err != nil {
		return nil, err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	registered := registry.New(client, db, &config.SaltKeys, time.Now)
	if err := registered.Refresh(ctx); err != nil {
		return nil, err
	}
	enricher, err := enrich.Load(files)
	if err != nil {
		return nil, err
	}
	enricher.LogPlaces(ctx, env.Logger())
	// line sets the ids.
	i.pipeline = &pipeline.Pipeline{Enricher: enricher, NewID: func() uuid.UUID { return uuid.Nil }}
	i.directory = &importDirectory{registered.Directory(), map[event.Day]*privacy.Salt{}}
	i.writer, i.memory = queue.NewWriter(client), queue.NewMemoryGuard(client, 0)
	return i, nil
}

// importDirectory has a salt for every day. It generates a salt for each day whose salt is
// deleted and discards it when the import ends. Within an import the requests of a visitor
// on a day belong together, but visitors can't be identified later, and two imports of the
// same day have different visitors.
type importDirectory struct {
	pipeline.Directory
	generated map[event.Day]*privacy.Salt
}

func (d *importDirectory) Salt(day event.Day) (*privacy.Salt, bool) {
	if salt, ok := d.Directory.Salt(day); ok {
		return salt, true
	}
	if d.generated[day] == nil {
		salt := new(privacy.Salt)
		_, _ = rand.Read(salt[:]) // never fails, see its documentation
		d.generated[day] = salt
	}
	return d.generated[day], true
}

// read imports a file.
func (i *importer) read(ctx context.Context, file io.Reader) error {
	r := bufio.NewReaderSize(file, maxLine)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		decompressed, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("decompress %s: %w", i.file, err)
		}
		r = bufio.NewReaderSize(decompressed, maxLine)
	}
	for position := int64(1); ; position++ {
		line, long, err := r.ReadLine()
		for rest := long; rest && err == nil; {
			_, rest, err = r.ReadLine()
		}
		if errors.Is(err, io.EOF) && !long {
			return i.flush(ctx)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", i.file, err)
		}
		i.result.Lines++
		if long {
			i.unreadable(position, fmt.Errorf("is longer than %d bytes", maxLine))
		} else {
			i.line(string(line), position)
		}
		if len(i.pending) == importBatch {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (i *importer) unreadable(position int64, err error) {
	i.result.Unreadable++
	if len(i.result.Examples) < maxExamples {
		i.result.Examples = append(i.result.Examples, fmt.Sprintf("%s:%d %s", i.file, position, err))
	}
}

// line turns a line into a view, or counts the reason to skip it.
func (i *importer) line(text string, position int64) {
	l, err := accesslog.Parse(text)
	if err != nil {
		i.unreadable(position, err)
		return
	}
	if reason := i.skip(&l); reason != "" {
		i.result.LeftOut[reason]++
		return
	}
	name := l.Host
	if name == "" {
		name = i.site.Domain
	}
	agent := cmp.Or(l.UserAgent, "-") // a client without a user agent is a program
	processed, err := i.pipeline.Run(i.directory, pipeline.Request{Address: l.Address, UserAgent: agent, Arrived: l.Time}, event.Input{
		Site: i.site.Domain, Type: event.View.String(), URL: "https://" + name + l.Target, Referrer: l.Referrer,
	})
	switch {
	case err != nil:
		i.result.LeftOut[invalid]++
	case processed.Dropped != "":
		i.result.LeftOut[processed.Dropped]++
	default:
		for _, reason := range processed.ChangedFor() {
			i.result.Masked[reason]++
		}
		e := &processed.Event
		e.ID = lineID(e, position)
		i.pending = append(i.pending, e)
	}
}

// skip returns the reason to skip a line; "" to import it.
func (i *importer) skip(l *accesslog.Line) pipeline.Reason {
	if l.Host != "" && l.Host != i.site.Domain && !strings.HasSuffix(l.Host, "."+i.site.Domain) {
		return otherHost
	}
	if reason := l.NoView(); reason != "" {
		return pipeline.Reason(reason)
	}
	if l.Time.After(i.now) {
		return future
	}
	return ""
}

// lineID returns the id of the view in a line, which is the same for every import of the
// same file. It is derived only from stored fields and the position. An id derived from an
// address would allow finding the address by trying all of them.
func lineID(e *event.Event, position int64) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s%s", e.Site, e.Time.UnixMilli(), position, e.Hostname, e.Page))
	id := uuid.UUID(sum[:16])
	for n, ms := 5, e.Time.UnixMilli(); n >= 0; n, ms = n-1, ms>>8 {
		id[n] = byte(ms)
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// flush queues the pending views, after waiting until Redis has enough memory.
func (i *importer) flush(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	// If Load fails, Append still fails when Redis is out of memory.
	for _ = i.memory.Load(ctx); i.memory.Full(); _ = i.memory.Load(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the queue: %w", ctx.Err())
		case <-tick.C:
		}
	}
	if err := i.writer.Append(ctx, i.pending...); err != nil {
		return err
	}
	i.result.Views += int64(len(i.pending))
	i.pending = nil
	return nil
}

func (r *importResult) table(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "lines\t%d\nviews\t%d\n", r.Lines, r.Views) // Flush returns the error
	for _, reason := range slices.Sorted(maps.Keys(r.LeftOut)) {
		_, _ = fmt.Fprintf(t, "left out: %s\t%d\n", reason, r.LeftOut[reason])
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Masked)) {
		_, _ = fmt.Fprintf(t, "%s\t%d\n", strings.Replace(string(reason), "_", ": ", 1), r.Masked[reason])
	}
	_, _ = fmt.Fprintf(t, "unreadable\t%d\n", r.Unreadable)
	for _, example := range r.Examples {
		_, _ = fmt.Fprintln(t, example)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
