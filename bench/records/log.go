package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"ovbench/datasets/jsonscan"
	"ovbench/runners/files"
)

// Log is a records file whose evidence stays on disk until it is asked for: memory holds a few hundred bytes a sample.
type Log struct {
	Header  Header
	Records []Record // the last of each sample; their evidence can be read until the log is closed
	end     int64    // behind the last whole line; what follows it was being written when a run was killed
	lines   int      // with records
	f       *os.File
}

// OpenLog reads a records file, and checks all of it.
func OpenLog(path string) (_ *Log, err error) {
	l := &Log{}
	if l.f, err = files.Open(path); err != nil {
		return nil, err
	}
	ids, names := idCheck{}, map[string]string{}
	var recs []Record
	l.Header, l.end, err = Each(path, func(from int64, line []byte) error {
		rec, parts, err := decode(line)
		if err != nil {
			return err
		}
		for i, p := range parts { // one copy of each name
			if _, ok := names[p.method]; !ok {
				names[p.method] = p.method
			}
			parts[i].method = names[p.method]
		}
		rec.Methods, rec.kept = nil, &kept{l.f, from, len(line), parts}
		recs = append(recs, rec)
		return ids.add(rec)
	})
	l.lines, l.Records = len(recs), Last(recs)
	if err != nil {
		return l, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends the reading of evidence.
func (l *Log) Close() error { return l.f.Close() }

// kept is where a record lies whose evidence was left in its file.
type kept struct {
	f     *os.File
	at    int64 // of the line
	size  int
	parts []part
}

// part is where in a line the evidence of a method lies.
type part struct {
	method   string
	from, to int
}

// read gives the bytes from from to to of the line.
func (k *kept) read(from, to int) ([]byte, error) {
	b := make([]byte, to-from)
	if _, err := k.f.ReadAt(b, k.at+int64(from)); err != nil {
		return nil, fmt.Errorf("%s: %w; it was changed while it was read", k.f.Name(), err)
	}
	return b, nil
}

// Evidence is that of a method, from disk if it was left there.
func (r Record) Evidence(method string) (Evidence, error) {
	if e, ok := r.Methods[method]; ok {
		return e, nil
	}
	if r.kept != nil {
		for _, p := range r.kept.parts {
			if p.method != method {
				continue
			}
			line, err := r.kept.read(p.from, p.to)
			if err != nil {
				return Evidence{}, err
			}
			return decodeEvidence(jsonscan.Of(line), line)
		}
	}
	return Evidence{}, fmt.Errorf("the record of %s lacks method %q", r.ID, method)
}

// Loaded is the record with the evidence of those of the methods that it has, of all if none is named, in memory.
func (r Record) Loaded(methods ...string) (Record, error) {
	if r.kept == nil {
		return r, nil
	}
	all := map[string]bool{}
	for _, p := range r.kept.parts {
		all[p.method] = len(methods) == 0
	}
	for _, m := range methods {
		if _, ok := all[m]; ok {
			all[m] = true
		}
	}
	if len(all) > 0 {
		r.Methods = map[string]Evidence{}
	}
	for m, wanted := range all {
		if !wanted {
			continue
		}
		e, err := r.Evidence(m)
		if err != nil {
			return r, err
		}
		r.Methods[m] = e
	}
	r.kept = nil
	return r, nil
}

// decode reads a record and says where its evidence lies.
//
// Note: rows of pixels are nearly all of a record; encoding/json goes over them four times, and takes five times as
// long.
func decode(line []byte) (rec Record, parts []part, err error) {
	from, to := 0, 0 // of the evidence
	evidence := map[string]Evidence{}
	s := jsonscan.Of(line)
	err = s.Object(func(key []byte) error {
		if string(key) != "methods" || s.Next() != '{' || to > 0 {
			return s.Skip()
		}
		from = int(s.Offset())
		err := s.Object(func(name []byte) error {
			p := part{method: string(name)}
			if _, twice := evidence[p.method]; twice {
				return fmt.Errorf("method %q stands there twice", name)
			}
			s.Next()
			p.from = int(s.Offset())
			e, err := decodeEvidence(s, line)
			p.to = int(s.Offset())
			parts, evidence[p.method] = append(parts, p), e
			return err
		})
		to = int(s.Offset())
		return err
	})
	if err == nil {
		err = s.End()
	}
	if err != nil || to == 0 {
		parts = nil
		if slow := json.Unmarshal(line, &rec); slow != nil { // it says better what is wrong
			err = slow
		}
		return rec, nil, errors.Join(err, rec.Check())
	}
	head := append(append(append(make([]byte, 0, from+4+len(line)-to), line[:from]...), "null"...), line[to:]...)
	if err := json.Unmarshal(head, &rec); err != nil {
		return rec, nil, err
	}
	rec.Methods = evidence
	return rec, parts, rec.Check()
}

// decodeEvidence reads what is next in a line.
func decodeEvidence(s *jsonscan.Scanner, line []byte) (e Evidence, err error) {
	first := s.Next()
	from, rows := s.Offset(), first == '{'
	if !rows {
		err = s.Skip()
	} else {
		err = s.Object(func(key []byte) error {
			var into json.Unmarshaler
			switch string(key) {
			case "confusion":
				into = &e.Confusion
			case "boundary":
				into = &e.Boundary
			default:
				rows = false
			}
			if into == nil {
				return s.Skip()
			}
			if list := s.Rows(); list != nil {
				return into.UnmarshalJSON(list)
			}
			s.Next()
			at := s.Offset()
			if err := s.Skip(); err != nil {
				return err
			}
			return into.UnmarshalJSON(line[at:s.Offset()])
		})
	}
	if err == nil && !rows { // of another task
		e = Evidence{}
		err = json.Unmarshal(line[from:s.Offset()], &e)
	}
	return e, err
}
