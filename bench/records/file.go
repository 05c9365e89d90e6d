package records

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ovbench/reports/results"
	"ovbench/runners/files"

	"github.com/gofrs/flock"
)

// FileName is the name of the records in a run folder.
const FileName = "records.jsonl"

const schema = "ovbench.records/1"

// Unfinished is a folder within a run folder for what is being joined, until it is whole.
const Unfinished = ".unfinished"

// CheckFolder refuses a folder that holds other things than a run.
func CheckFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if IsRun(dir) {
		return nil
	}
	return fmt.Errorf("%s holds %s and other things, but no run: choose another --out, or an empty folder", dir,
		entries[0].Name())
}

// IsRun tells the folder of a run, finished or not, from others.
func IsRun(dir string) bool {
	return slices.ContainsFunc([]string{FileName, results.FileName, LockFile}, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	})
}

// sweep takes away what a killed run was about to put in place. The lock is held.
func sweep(dir string) {
	_ = os.RemoveAll(filepath.Join(dir, Unfinished)) // what cannot be removed does no harm
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		for _, name := range []string{FileName, results.FileName, HeartbeatFile} {
			if number, ours := strings.CutPrefix(e.Name(), "."+name); ours && strings.Trim(number, "0123456789") == "" {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// LockFile is held by who writes in a run folder.
const LockFile = ".lock"

// newLock is that of a run folder. Opening it does not block, even if somebody put a named pipe there.
func newLock(dir string) *flock.Flock {
	return flock.New(filepath.Join(dir, LockFile), flock.SetFlag(os.O_CREATE|syscall.O_NONBLOCK))
}

// Header is the first line of a records file: what all of its records have in common.
type Header struct {
	Schema      string            `json:"schema"`
	Fingerprint string            `json:"fingerprint"`
	Parts       map[string]string `json:"parts,omitempty"` // what the fingerprint is made of, by what people call it
	Made        string            `json:"made,omitempty"`  // by which versions; of no weight
}

// NewHeader is the header of records that have these parts in common, each a hash or a short text.
func NewHeader(parts map[string]string) Header {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		fmt.Fprintf(h, "%q %q\n", name, parts[name])
	}
	return Header{Schema: schema, Fingerprint: fmt.Sprintf("%x", h.Sum(nil)), Parts: parts}
}

// Differ names the parts in which records are not of one run.
func (h Header) Differ(other Header) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(h.Parts)) {
		if other.Parts != nil && h.Parts[name] != other.Parts[name] {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other.Parts)) {
		if _, ok := h.Parts[name]; !ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "model, methods, protocol, data, class names, templates or parameters"
	}
	return strings.Join(names, ", ")
}

// Key tells samples apart.
type Key struct {
	Dataset string
	Index   int
}

// File is a records file open for appending. Each record is one line, written in one call: an
// interrupted run loses at most the line it was writing.
type File struct {
	f    *os.File
	end  int64 // of the last whole line
	torn error // why nothing may follow it
	lock *flock.Flock
	beat *pulse
	Done map[Key]Record // good records, by sample, without their evidence
	Made string         // by which versions the file was begun
	// Unlocked says that the file system has no locks: nothing keeps another run out of the folder.
	Unlocked bool
}

// Open creates dir's records file, or continues it if resume is set. A file of another
// fingerprint is refused.
func Open(dir string, header Header, resume bool) (_ *File, err error) {
	path := filepath.Join(dir, FileName)
	header.Schema = schema
	r := &File{Done: map[Key]Record{}, lock: newLock(dir)}
	switch ok, err := r.lock.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK) || errors.Is(err, syscall.ENOSYS):
		r.Unlocked = true
	case err != nil || !ok:
		return nil, errors.Join(fmt.Errorf("%s is in use by another run%s", dir, holder(dir)), err)
	}
	opened := false
	defer func() {
		if !opened {
			err = errors.Join(err, r.lock.Unlock())
		}
	}()
	sweep(dir)
	old, err := OpenLog(path)
	if err == nil {
		defer old.Close()
	} else {
		old = &Log{}
	}
	head, end := old.Header, old.end
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errTornHeader): // killed before anything was measured
	case err != nil && resume:
		return nil, err
	case err == nil && !resume && old.lines == 0: // begun, and stopped before the first sample
		end = 0
	case !resume:
		return nil, fmt.Errorf(
			"%s holds the records of an earlier run: add --resume to continue it, or choose another --out", dir)
	case head.Fingerprint != header.Fingerprint:
		return nil, fmt.Errorf("%s holds records of another run (it differs in %s): choose another --out", dir,
			header.Differ(head))
	}
	if r.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	r.end = end
	if err = r.f.Truncate(end); err == nil {
		_, err = r.f.Seek(end, io.SeekStart)
	}
	if err == nil && end == 0 {
		var first []byte
		if first, err = json.Marshal(header); err == nil {
			err = r.line(first)
		}
	}
	if err != nil {
		r.f.Close()
		return nil, err
	}
	if r.Made = head.Made; end == 0 {
		r.Made = header.Made
	}
	for _, rec := range old.Records {
		if rec.Error == "" { // failed samples get another chance
			r.Done[rec.Key()] = rec.head()
		}
	}
	opened = true
	r.beat = startPulse(dir)
	return r, nil
}

// Expect says how many samples the folder is to have, and how many of them are done. It is for who else looks at it.
func (r *File) Expect(planned, done int) {
	r.beat.change(func(h *Heartbeat) { h.Planned, h.Before, h.Done = planned, done, done })
}

// holder says who works in dir, as far as the folder tells.
func holder(dir string) string {
	h, ok, err := ReadHeartbeat(dir)
	if err != nil || !ok {
		return ""
	}
	return fmt.Sprintf(" (%v)", h)
}

func (r *File) line(b []byte) error {
	if r.torn != nil {
		return r.torn
	}
	n, err := r.f.Write(append(b, '\n'))
	if err == nil {
		r.end += int64(n)
		return nil
	}
	// What was written of the line is taken back, and nothing follows it.
	r.torn = fmt.Errorf("%w; what was measured before is kept: make room and go on with --resume", err)
	_ = r.f.Truncate(r.end) // where this fails too, the next run does it
	return r.torn
}

// Add appends a record; one that was left in another file as it stands there.
func (r *File) Add(rec Record) error {
	line, err := rec.line()
	if err != nil {
		return err
	}
	if err := r.line(line); err != nil {
		return err
	}
	r.Done[rec.Key()] = rec.head()
	r.beat.tried(rec.Error != "")
	return nil
}

// Close ends the file and frees its folder.
func (r *File) Close() error {
	r.beat.end()
	return errors.Join(r.f.Sync(), r.f.Close(), r.lock.Unlock())
}

// maxRecord bounds a line: the confusion of a thousand classes for a dozen methods fits many times.
const maxRecord = 64 << 20

// idCheck tells that a sample has one id and an id one sample, in all of a file.
type idCheck struct {
	ids     map[Key]string
	indices map[[2]string]int
}

func (c *idCheck) add(r Record) error {
	if c.ids == nil {
		c.ids, c.indices = map[Key]string{}, map[[2]string]int{}
	}
	name := [2]string{r.Dataset, r.ID}
	if id, ok := c.ids[r.Key()]; ok && id != r.ID {
		return fmt.Errorf("sample %d of %s is %q here and %q before", r.Index, r.Dataset, r.ID, id)
	}
	if index, ok := c.indices[name]; ok && index != r.Index {
		return fmt.Errorf("%q of %s is sample %d here and %d before", r.ID, r.Dataset, r.Index, index)
	}
	c.ids[r.Key()], c.indices[name] = r.ID, r.Index
	return nil
}

// errTornHeader is a file whose first line was being written when a run was killed: it holds no record.
var errTornHeader = errors.New("the file is empty or cut in its first line; delete it to start over")

// Each hands the lines of a records file, and the offset of each, to do, which must not keep them; end is behind the
// last whole line.
func Each(path string, do func(at int64, line []byte) error) (h Header, end int64, err error) {
	return each(path, func(n int, at int64, line []byte) error {
		if err := do(at, line); err != nil {
			return fmt.Errorf(
				"%s:%d: %w; ovbench records %s --repair leaves such lines out, and run --resume measures their samples again",
				path,
				n,
				err,
				filepath.Dir(path),
			)
		}
		return nil
	})
}

func each(path string, do func(n int, at int64, line []byte) error) (h Header, end int64, err error) {
	f, err := files.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(in)
		switch {
		case err == io.EOF && n == 1 && beginsHeader(line):
			return h, 0, fmt.Errorf("%s: %w", path, errTornHeader)
		case err == io.EOF && n > 1:
			return h, end, nil
		case n == 1:
			cut := err == io.EOF
			if err == nil || cut {
				err = json.Unmarshal(line, &h)
			}
			switch {
			case err == nil && h.Schema != schema:
				err = fmt.Errorf("schema %q, want %q", h.Schema, schema)
			case err == nil && cut: // spelled by somebody else, and without its end
				return h, 0, fmt.Errorf("%s: %w", path, errTornHeader)
			}
			if err != nil {
				err = fmt.Errorf(
					"%s:1: %w; without this line nobody knows what was measured: restore the file, or measure into another folder",
					path, err)
			}
		case err == nil:
			err = do(n, end, line)
		default:
			err = fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err != nil {
			return h, end, err
		}
		end += int64(len(line)) + 1
	}
}

// beginsHeader says whether a line without end may be the beginning of a header.
func beginsHeader(line []byte) bool {
	const begin = `{"schema":"` + schema + `"`
	return strings.HasPrefix(begin, string(line)) || bytes.HasPrefix(line, []byte(begin))
}

// Repair leaves the lines out of a folder's records file that cannot be read or do not fit each other, and says
// which: their samples are measured again with --resume. The other lines stay as they are.
func Repair(dir string) (dropped []string, err error) {
	path := filepath.Join(dir, FileName)
	lock := newLock(dir)
	if ok, err := lock.TryLock(); err == nil && !ok {
		return nil, fmt.Errorf("%s is in use by a run%s", dir, holder(dir))
	}
	defer func() { _ = lock.Unlock() }()
	ids := idCheck{}
	var kept bytes.Buffer
	header, _, err := each(path, func(n int, _ int64, line []byte) error {
		rec, _, err := decode(line)
		if err == nil {
			err = ids.add(rec)
		}
		if err != nil {
			dropped = append(dropped, fmt.Sprintf("line %d: %v", n, err))
			return nil
		}
		kept.Write(line)
		return kept.WriteByte('\n')
	})
	if err != nil || len(dropped) == 0 {
		return nil, err
	}
	first, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	return dropped, results.WriteFile(path, slices.Concat(first, []byte{'\n'}, kept.Bytes()))
}

// readLine is the next line without its end; a last line without end is io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return bytes.TrimSuffix(line, []byte("\n")), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxRecord {
			return nil, fmt.Errorf("a line of more than %d bytes", maxRecord)
		}
	}
}
