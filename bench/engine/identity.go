package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports/results"
)

// header says what every record of the run has in common: all that was asked, and what it was resolved to, but for what
// only scoring reads and which samples are measured by how many workers. Records of equal headers may be joined.
func (p *Plan) header(out *results.Run) (records.Header, error) {
	parts := map[string]string{}
	var fault error
	add := func(name string, values ...any) {
		b, err := json.Marshal(values)
		fault = errors.Join(fault, err)
		parts[name] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	// All of the suite, whatever keys it has. The parts below say where two suites differ, and add what files held.
	add("keys of the suite", p.suite.RecordsFingerprint())
	if p.imported != nil {
		name, err := p.imported.fingerprint(p)
		fault = errors.Join(fault, err)
		add("the predictions", name, out.Hashes())
	} else {
		add("the model's weights, vocabulary or activation", out.Hashes(), out.Model.Activation)
	}
	for _, n := range out.Networks {
		add("network "+n.Role, n.Model.Architecture, n.Model.Activation) // its weights are among the hashes
	}
	add("templates", p.templates)
	add("the decoder of JPEG files", out.Runtime.JPEG)
	add("attention, device or precision", withoutPlace(out.Runtime))
	for _, m := range out.Methods {
		add("method "+m.Name, m.Kind, m.Params, m.Positions)
	}
	for i, t := range p.targets {
		d := p.suite.Datasets[i]
		d.Root, d.Limit, d.Regions, d.Title = "", 0, "", ""
		names, err := hashOf(p.suite.Path(d.LabelNames))
		fault = errors.Join(fault, err)
		protocol := t.Protocol
		protocol.Convention = ""
		add("data set "+d.Label(), d, names, t.Info.Split, t.Info.ListSHA256, t.Info.Classes, t.Info.Background, t.queries,
			values(protocol), p.departing(&t))
		if t.council != nil {
			add("class experts of "+d.Label(), t.council.file.SHA256)
		}
		if t.regions != "" {
			add("masks of regions of "+d.Label(), t.regionsHash)
		}
	}
	return records.NewHeader(parts), fault
}

// values are what a protocol says, in order.
func values(p configs.Protocol) (out []any) {
	for _, f := range p.Fields() {
		if f.Key != "name" {
			out = append(out, f.Key, f.Value)
		}
	}
	return out
}

// withoutPlace is how a runtime computes, not where, with what version and how fast.
func withoutPlace(r results.Runtime) results.Runtime {
	r.Version, r.Path, r.SHA256, r.JPEG, r.Threads, r.Jobs, r.Batch, r.Mmap = "", "", "", "", 0, 0, 0, false
	return r
}

// hashOf is that of a file, nothing for no file.
func hashOf(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	var f results.File
	err := hash(&f, path)
	return f.SHA256, err
}

// digests are short hashes of a sample's picture and of its truth as they were read, whatever file they came from.
func digests(s datasets.Sample) (picture, truth string) {
	h := sha256.New()
	size := s.Image.Rect.Size()
	fmt.Fprintln(h, size.X, size.Y)
	for y := range size.Y {
		h.Write(s.Image.Pix[y*s.Image.Stride:][:4*size.X])
	}
	picture = hex.EncodeToString(h.Sum(nil)[:digestBytes])
	h.Reset()
	fmt.Fprintln(h, s.Labels.W, s.Labels.H, s.Tags, s.Objects)
	row := make([]byte, 0, 2*s.Labels.W)
	for line := range slices.Chunk(s.Labels.Pix, max(1, s.Labels.W)) {
		row = row[:0]
		for _, v := range line {
			row = binary.LittleEndian.AppendUint16(row, v)
		}
		h.Write(row)
	}
	return picture, hex.EncodeToString(h.Sum(nil)[:digestBytes])
}

// digestBytes of a hash tell a million pictures apart, and keep records short.
const digestBytes = 8

// samplesChecked is how many of a data set's samples are read again before a run goes on.
const samplesChecked = 16

// checkDone says why the records that a run finds in its folder are not of its data: ids at other places, or other
// pictures or labels under the same ids. It reads some samples again, spread evenly over those that are done.
func (r *run) checkDone() error {
	for k := range r.plan.targets {
		t := &r.plan.targets[k]
		var done []records.Record
		for key, rec := range r.records.Done {
			if key.Dataset != t.Info.Name {
				continue
			}
			if rec.Index < 0 || rec.Index >= t.Dataset.Len() || t.Dataset.ID(rec.Index) != rec.ID {
				return fmt.Errorf("%s holds a record of %q as sample %d of %s, which it is not: restore the file, or choose "+
					"another --out",
					r.plan.request.Out, rec.ID, rec.Index, t.Info.Name)
			}
			if rec.Picture != "" {
				done = append(done, rec)
			}
		}
		slices.SortFunc(done, records.ByIndex)
		n := min(len(done), samplesChecked)
		for i := range n {
			if err := t.checkSample(done[i*len(done)/n]); err != nil {
				return fmt.Errorf("%s: %w; choose another --out", r.plan.request.Out, err)
			}
		}
	}
	return nil
}

// checkSample says why a sample, if it can still be read, is not the one that a record is of.
func (t *target) checkSample(rec records.Record) error {
	s, err := t.Dataset.At(rec.Index)
	if err != nil {
		return nil // it need not be read again
	}
	what := ""
	switch picture, truth := digests(s); {
	case picture != rec.Picture:
		what = "picture"
	case truth != rec.Truth:
		what = "truth"
	default:
		t.diagnosis.Look(s) // what is measured now may be too little to tell a mistake by
		return nil
	}
	return fmt.Errorf("%s of %s has another %s than when it was measured: the data in %s has changed", rec.ID, t.Info.Name,
		what, t.Info.Root)
}
