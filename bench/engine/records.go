package engine

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

	"ovbench/metrics"
)

// RecordsFile is the name of the records in a run folder.
const RecordsFile = "records.jsonl"

const recordsSchema = "ovbench.records/1"

// Record is what one sample left behind: all that scores are computed from.
type Record struct {
	Dataset string              `json:"dataset"`
	Index   int                 `json:"index"` // in the split
	ID      string              `json:"id"`
	Methods map[string]Evidence `json:"methods,omitempty"` // by name
	Tags    []int8              `json:"tags,omitempty"`    // multilabel: 1 present, 2 difficult, by class
	Stage   string              `json:"stage,omitempty"`   // where a failed sample failed
	Error   string              `json:"error,omitempty"`
}

// fail records that a sample could not be measured. Nothing else of it is kept.
func (r *Record) fail(stage string, err error) {
	r.Methods, r.Tags, r.Stage, r.Error = nil, nil, stage, err.Error()
}

// Confusion is the non-zero cells of one image's confusion matrix, each as [truth, prediction, pixels].
type Confusion [][3]int64

func confusionOf(s metrics.Sparse) Confusion {
	out := make(Confusion, len(s))
	for i, c := range s {
		out[i] = [3]int64{int64(c.Truth), int64(c.Pred), c.Count}
	}
	return out
}

// sparse is the metric's form of a confusion read from a file.
func (c Confusion) sparse() (metrics.Sparse, error) {
	out := make(metrics.Sparse, len(c))
	for i, x := range c {
		if x[0] != int64(uint16(x[0])) || x[1] != int64(uint16(x[1])) {
			return nil, fmt.Errorf("confusion cell %v is out of range", x)
		}
		out[i] = metrics.Cell{Truth: uint16(x[0]), Pred: uint16(x[1]), Count: x[2]}
	}
	return out, nil
}

// header is the first line of a records file: what all of its records have in common.
type header struct {
	Schema      string `json:"schema"`
	Fingerprint string `json:"fingerprint"`
}

// recordKey tells samples apart.
type recordKey struct {
	dataset string
	index   int
}

// records is a records file open for appending. Each record is one line, written in one call: an
// interrupted run loses at most the line it was writing.
type records struct {
	f    *os.File
	lock *flock.Flock
	done map[recordKey]Record
}

// openRecords creates dir's records file, or continues it if resume is set. A file of another
// fingerprint is refused.
func openRecords(dir, fingerprint string, resume bool) (_ *records, err error) {
	path := filepath.Join(dir, RecordsFile)
	r := &records{done: map[recordKey]Record{}, lock: flock.New(filepath.Join(dir, ".lock"))}
	if ok, err := r.lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("%s is in use by another run", dir), err)
	}
	opened := false
	defer func() {
		if !opened {
			err = errors.Join(err, r.lock.Unlock())
		}
	}()
	old, end, err := readRecords(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		end = 0
	case err != nil && resume:
		return nil, err
	case err == nil && !resume && len(old.records) == 0: // begun, and stopped before the first sample
		end = 0
	case !resume:
		return nil, fmt.Errorf("%s holds the records of an earlier run: add --resume to continue it, or choose another --out", dir)
	case old.header.Fingerprint != fingerprint:
		return nil, fmt.Errorf("%s holds records of another run (other model, methods, protocol, data or class names): choose another --out", dir)
	}
	if r.f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if err = r.f.Truncate(end); err == nil {
		_, err = r.f.Seek(end, io.SeekStart)
	}
	if err == nil && end == 0 {
		err = r.line(header{recordsSchema, fingerprint})
	}
	if err != nil {
		r.f.Close()
		return nil, err
	}
	for _, rec := range old.records {
		if rec.Error == "" { // failed samples get another chance
			r.done[recordKey{rec.Dataset, rec.Index}] = rec
		}
	}
	opened = true
	return r, nil
}

func (r *records) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = r.f.Write(append(b, '\n'))
	return err
}

// add appends a record.
func (r *records) add(rec Record) error {
	if err := r.line(rec); err != nil {
		return err
	}
	r.done[recordKey{rec.Dataset, rec.Index}] = rec
	return nil
}

func (r *records) close() error { return errors.Join(r.f.Sync(), r.f.Close(), r.lock.Unlock()) }

type recordFile struct {
	header  header
	records []Record
}

// maxRecord bounds a line: the confusion of a thousand classes for a dozen methods fits many times.
const maxRecord = 64 << 20

// readRecords reads a records file. end is the offset behind the last whole line; what follows it was
// being written when a run was killed.
func readRecords(path string) (out recordFile, end int64, err error) {
	out.header, end, err = eachRecord(path, func(line []byte) error {
		var rec Record
		err := json.Unmarshal(line, &rec)
		out.records = append(out.records, rec)
		return err
	})
	return out, end, err
}

// eachRecord hands the lines of a records file to do, which must not keep them; see readRecords.
func eachRecord(path string, do func(line []byte) error) (h header, end int64, err error) {
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
			if err = json.Unmarshal(line, &h); err == nil && h.Schema != recordsSchema {
				err = fmt.Errorf("schema %q, want %q", h.Schema, recordsSchema)
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
