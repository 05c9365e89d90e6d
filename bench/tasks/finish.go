package tasks

import (
	"slices"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/reports/results"
)

// Finish completes and writes a run from its records. Planned samples without a good record make it incomplete.
func Finish(out *results.Run, recs []records.Record, planned map[string][]int, dir string, suite *configs.Suite) error {
	wanted, good := map[records.Key]bool{}, map[records.Key]bool{}
	for name, indices := range planned {
		for _, i := range indices {
			wanted[records.Key{Dataset: name, Index: i}] = true
		}
	}
	var kept []records.Record
	out.Failures = nil
	for _, rec := range recs {
		if !wanted[rec.Key()] {
			continue
		}
		if rec.Error != "" {
			out.Failures = append(out.Failures,
				results.Failure{Dataset: rec.Dataset, ID: rec.ID, Stage: rec.Stage, Error: rec.Error})
			continue
		}
		good[rec.Key()] = true
		kept = append(kept, rec)
	}
	slices.SortFunc(out.Failures, func(a, b results.Failure) int {
		return slices.Compare([]string{a.Dataset, a.ID}, []string{b.Dataset, b.ID})
	})
	out.Complete = true
	for i := range out.Datasets {
		d := &out.Datasets[i]
		d.Measured = 0
		for _, k := range planned[d.Name] {
			if good[records.Key{Dataset: d.Name, Index: k}] {
				d.Measured++
			} else {
				out.Complete = false
			}
		}
	}
	out.Panels = records.WholePanels(dir, out.Panels)
	var err error
	if out.Cells, err = Score(out, suite, kept); err != nil {
		return err
	}
	return out.Write(dir)
}

// ProtocolOf is a protocol as results record it.
func ProtocolOf(p configs.Protocol) results.Protocol {
	out := results.Protocol{Name: p.String(), Fingerprint: p.Fingerprint(), Fields: map[string]any{}}
	for _, f := range p.Fields() {
		out.Fields[f.Key] = f.Value
	}
	return out
}
