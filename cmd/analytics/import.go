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
	GeoDatabase string   `env:"GEO_DATABASE" placeholder:"FILE" help:"Database of cities in MaxMind's format (.mmdb), for regions and cities."`
	Datacenters string   `env:"DATACENTER_NETWORKS" placeholder:"FILE" help:"List of networks, one a line, whose requests are those of programs."`
	Files       []string `arg:"" default:"-" help:"Access logs in the combined format, plain or gzipped; - is the standard input."`
}

const (
	// importBatch is how many views are queued at once.
	importBatch = 1000
	// maxLine is the length in bytes of the longest line that is read.
	maxLine = 64 << 10
	// maxExamples is how many lines that can't be read are named.
	maxExamples = 10
)

// The reasons for which a line is left out that only an import has.
const (
	otherHost pipeline.Reason = "host"    // of a virtual host that is not the site's
	future    pipeline.Reason = "future"  // its time has not come
	invalid   pipeline.Reason = "invalid" // no event can hold it, such as an address that is too long
)

// imported is what is printed as JSON.
type imported struct {
	Lines      int64                     `json:"lines"`
	Views      int64                     `json:"views"` // queued; those that are stored already are not counted again
	LeftOut    map[pipeline.Reason]int64 `json:"left_out"`
	Unreadable int64                     `json:"unreadable"`
	Examples   []string                  `json:"examples"` // where lines can't be read, and why; never what they hold
}

// Run queues the views in access logs.
func (c *importCommand) Run(ctx context.Context, env *host.Env, p *printer) error {
	files, total, err := openAll(c.Files)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			_ = f.Close() // it was only read
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
		before := i.found.Lines
		read := progressbar.NewReader(f, bar)
		if err = i.read(ctx, &read); err != nil {
			break
		}
		if !p.json && !term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintf(os.Stderr, "%s: %d lines\n", i.file, i.found.Lines-before)
		}
	}
	done()
	return errors.Join(err, p.print(i.found, i.found.table))
}

// openAll opens files, and returns how long they are together, -1 when that is not known.
func openAll(names []string) (files []*os.File, total int, err error) {
	for _, name := range names {
		if name == "-" {
			files, total = append(files, os.Stdin), -1
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, fmt.Errorf("open a log: %w", err)
		}
		info, err := f.Stat()
		if err != nil {
			return nil, 0, fmt.Errorf("open a log: %w", err)
		}
		if info.IsDir() {
			return nil, 0, fmt.Errorf("%s is a folder: name the files", name)
		}
		files = append(files, f)
		if total >= 0 {
			total += int(info.Size())
		}
	}
	return files, total, nil
}

// importer makes events of lines by the rules of track.
type importer struct {
	site      sites.Site
	pipeline  *pipeline.Pipeline
	directory *importDirectory
	writer    *queue.Writer
	room      *queue.MemoryGuard
	now       time.Time

	file    string
	waiting []*event.Event
	found   imported
}

func newImporter(ctx context.Context, env *host.Env, site string, files enrich.Files) (*importer, error) {
	db, err := env.Database(ctx)
	if err != nil {
		return nil, err
	}
	i := &importer{now: time.Now(), found: imported{LeftOut: map[pipeline.Reason]int64{}, Examples: []string{}}}
	if i.site, err = sites.Find(ctx, db, site); errors.Is(err, sites.ErrNoSite) {
		return nil, fmt.Errorf("--site: there is no site %s", site)
	} else if err != nil {
		return nil, err
	}
	client, err := env.Redis(ctx)
	if err != nil {
		return nil, err
	}
	sites := registry.New(client, db, time.Now)
	if err := sites.Refresh(ctx); err != nil {
		return nil, err
	}
	enricher, err := enrich.Load(files)
	if err != nil {
		return nil, err
	}
	enricher.LogPlaces(ctx, env.Logger())
	// The ids are set afterwards.
	i.pipeline = &pipeline.Pipeline{Enricher: enricher, NewID: func() uuid.UUID { return uuid.Nil }}
	i.directory = &importDirectory{sites.Directory(), map[event.Day]*privacy.Salt{}}
	i.writer, i.room = queue.NewWriter(client), queue.NewMemoryGuard(client, 0)
	return i, nil
}

// importDirectory knows a salt for each day. For those whose salts are destroyed it makes
// one, which is kept nowhere and gone when the import ends: so nobody can be found again,
// and who came twice on a day is one visitor, but one import of a day knows nothing of
// the visitors of another.
type importDirectory struct {
	pipeline.Directory
	made map[event.Day]*privacy.Salt
}

func (d *importDirectory) Salt(day event.Day) (*privacy.Salt, bool) {
	if salt, ok := d.Directory.Salt(day); ok {
		return salt, true
	}
	if d.made[day] == nil {
		salt := new(privacy.Salt)
		_, _ = rand.Read(salt[:]) // never fails, see its documentation
		d.made[day] = salt
	}
	return d.made[day], true
}

// read imports a file.
func (i *importer) read(ctx context.Context, file io.Reader) error {
	r := bufio.NewReaderSize(file, maxLine)
	if magic, _ := r.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", i.file, err)
		}
		r = bufio.NewReaderSize(unpacked, maxLine)
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
		i.found.Lines++
		if long {
			i.unreadable(position, fmt.Errorf("is longer than %d bytes", maxLine))
		} else {
			i.line(string(line), position)
		}
		if len(i.waiting) == importBatch {
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
}

func (i *importer) unreadable(position int64, why error) {
	i.found.Unreadable++
	if len(i.found.Examples) < maxExamples {
		i.found.Examples = append(i.found.Examples, fmt.Sprintf("%s:%d %s", i.file, position, why))
	}
}

// line makes a view of a line, or counts why it is none.
func (i *importer) line(text string, position int64) {
	l, err := accesslog.Parse(text)
	if err != nil {
		i.unreadable(position, err)
		return
	}
	if reason := i.leaveOut(&l); reason != "" {
		i.found.LeftOut[reason]++
		return
	}
	name := l.Host
	if name == "" {
		name = i.site.Domain
	}
	agent := cmp.Or(l.UserAgent, "-") // who asks for a page without naming itself is a program
	collected, err := i.pipeline.Run(i.directory, pipeline.Request{Address: l.Address, UserAgent: agent, Arrived: l.Time}, event.Input{
		Site: i.site.Domain, Type: event.View.String(), URL: "https://" + name + l.Target, Referrer: l.Referrer,
	})
	switch {
	case err != nil:
		i.found.LeftOut[invalid]++
	case collected.Dropped != "":
		i.found.LeftOut[collected.Dropped]++
	default:
		e := &collected.Event
		e.ID = lineID(e, position)
		i.waiting = append(i.waiting, e)
	}
}

func (i *importer) leaveOut(l *accesslog.Line) pipeline.Reason {
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

// lineID is the id of the view in a line: the same whenever the line is read at its
// position in a file. It is made of nothing but what is stored and the position: an id
// that came from an address could be tried out until the address is found.
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

// flush queues the views that wait, as soon as the queue has room.
func (i *importer) flush(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	// What Redis doesn't tell it will refuse.
	for _ = i.room.Load(ctx); i.room.Full(); _ = i.room.Load(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the queue to be drained: %w", ctx.Err())
		case <-tick.C:
		}
	}
	if err := i.writer.Append(ctx, i.waiting...); err != nil {
		return err
	}
	i.found.Views += int64(len(i.waiting))
	i.waiting = nil
	return nil
}

func (f *imported) table(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "lines\t%d\nviews\t%d\n", f.Lines, f.Views) // Flush tells
	reasons := make([]string, 0, len(f.LeftOut))
	for reason := range f.LeftOut {
		reasons = append(reasons, string(reason))
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		_, _ = fmt.Fprintf(t, "left out: %s\t%d\n", reason, f.LeftOut[pipeline.Reason(reason)])
	}
	_, _ = fmt.Fprintf(t, "unreadable\t%d\n", f.Unreadable)
	for _, example := range f.Examples {
		_, _ = fmt.Fprintln(t, example)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
