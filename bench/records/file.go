package records

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// FileName is the name of the records in a run folder.
const FileName = "records.jsonl"

const schema = "ovbench.records/1"

// Header is the first line of a records file: what all of its records have in common.
type Header struct {
	Schema      string `json:"schema"`
	Fingerprint string `json:"fingerprint"`
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
	lock *flock.Flock
	beat *pulse
	Done map[Key]Record // good records, by sample
}

// Open creates dir's records file, or continues it if resume is set. A file of another
// fingerprint is refused.
func Open(dir, fingerprint string, resume bool) (_ *File, err error) {
	path := filepath.Join(dir, FileName)
	r := &File{Done: map[Key]Record{}, lock: flock.New(filepath.Join(dir, ".lock"))}
	if ok, err := r.lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("%s is in use by another run%s", dir, holder(dir)), err)
	}
	opened := false
	defer func() {
		if !opened {
			err = errors.Join(err, r.lock.Unlock())
		}
	}()
	head, old, end, err := Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		end = 0
	case err != nil && resume:
		return nil, err
	case err == nil && !resume && len(old) == 0: // begun, and stopped before the first sample
		end = 0
	case !resume:
		return nil, fmt.Errorf("%s holds the records of an earlier run: add --resume to continue it, or choose another --out", dir)
	case head.Fingerprint != fingerprint:
		return nil, fmt.Errorf("%s holds records of another run (other model, methods, protocol, data or class names): choose another --out", dir)
	}
	if r.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err = r.f.Truncate(end); err == nil {
		_, err = r.f.Seek(end, io.SeekStart)
	}
	if err == nil && end == 0 {
		err = r.line(Header{schema, fingerprint})
	}
	if err != nil {
		r.f.Close()
		return nil, err
	}
	for _, rec := range old {
		if rec.Error == "" { // failed samples get another chance
			r.Done[rec.Key()] = rec
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

func (r *File) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.f.Write(append(b, '\n'))
	return err
}

// Add appends a record.
func (r *File) Add(rec Record) error {
	if err := r.line(rec); err != nil {
		return err
	}
	r.Done[rec.Key()] = rec
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

// Read reads a records file. end is the offset behind the last whole line; what follows it was
// being written when a run was killed.
func Read(path string) (h Header, recs []Record, end int64, err error) {
	h, end, err = Each(path, func(line []byte) error {
		var rec Record
		err := json.Unmarshal(line, &rec)
		recs = append(recs, rec)
		return err
	})
	return h, recs, end, err
}

// Each hands the lines of a records file to do, which must not keep them; see Read.
func Each(path string, do func(line []byte) error) (h Header, end int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err == io.EOF {
			if n == 1 {
				return h, 0, fmt.Errorf("%s: the file is empty or cut in its first line; delete it to start over", path)
			}
			return h, end, nil
		}
		if err == nil && n == 1 {
			if err = json.Unmarshal(line, &h); err == nil && h.Schema != schema {
				err = fmt.Errorf("schema %q, want %q", h.Schema, schema)
			}
		} else if err == nil {
			err = do(line)
		}
		if err != nil {
			return h, end, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		end += int64(len(line)) + 1
	}
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
			return nil, err
		}
		if len(line) > maxRecord {
			return nil, fmt.Errorf("a line of more than %d bytes", maxRecord)
		}
	}
}
