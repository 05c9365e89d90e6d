package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovbench/configs"
	"ovbench/reports/results"
)

// Merge joins the run folders dirs, shards of one run, into the folder out. Folders that measured unlike
// things are refused; absent samples make the result incomplete.
func Merge(dirs []string, out string) (*results.Run, error) {
	var (
		merged *results.Run
		all    []Record
	)
	seen := map[recordKey]string{}
	for _, dir := range dirs {
		r, recs, err := readShard(dir)
		if err != nil {
			return nil, err
		}
		if merged == nil {
			merged = r
		} else if err := absorb(merged, r); err != nil {
			return nil, fmt.Errorf("%s and %s cannot be joined: %w", dirs[0], dir, err)
		}
		for _, rec := range recs {
			key := recordKey{rec.Dataset, rec.Index}
			if before, ok := seen[key]; ok && rec.Error == "" {
				return nil, fmt.Errorf("sample %s of %s is in both %s and %s", rec.ID, rec.Dataset, before, dir)
			}
			if rec.Error == "" {
				seen[key] = dir
			}
			all = append(all, rec)
		}
	}
	suite, err := configs.Parse(merged.Suite.File, []byte(merged.Suite.Text), Known())
	if err != nil {
		return nil, fmt.Errorf("the suite recorded in %s: %w", dirs[0], err)
	}
	planned, err := plannedOf(merged)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dirs[0], err)
	}
	if err := writeMerged(merged, all, dirs, out); err != nil {
		return nil, err
	}
	merged.Shard = ""
	return merged, finish(merged, all, planned, out, suite)
}

func readShard(dir string) (*results.Run, []Record, error) {
	r, err := results.Read(dir)
	if err != nil {
		return nil, nil, err
	}
	file, _, err := readRecords(filepath.Join(dir, RecordsFile))
	if err != nil {
		return nil, nil, err
	}
	if file.header.Fingerprint != r.Fingerprint {
		return nil, nil, fmt.Errorf("%s: %s belongs to another run than %s", dir, RecordsFile, "results.json")
	}
	return r, lastOf(file.records), nil
}

// lastOf keeps the last record of each sample: a resumed run repeats those that failed.
func lastOf(recs []Record) []Record {
	at := map[recordKey]int{}
	var out []Record
	for _, rec := range recs {
		key := recordKey{rec.Dataset, rec.Index}
		if i, ok := at[key]; ok {
			out[i] = rec
			continue
		}
		at[key] = len(out)
		out = append(out, rec)
	}
	return out
}

// hashesOf are those of a run's weights and of its vocabulary.
func hashesOf(r *results.Run) (out []string) {
	for _, f := range append(slices.Clone(r.Model.Files), r.Model.Vocabulary) {
		out = append(out, f.SHA256)
	}
	return out
}

// absorb adds to a what b measured, if both are parts of one run.
func absorb(a, b *results.Run) error {
	var differ []string
	note := func(what string, same bool) {
		if !same {
			differ = append(differ, what)
		}
	}
	names := func(r *results.Run) (out []string) {
		for _, m := range r.Methods {
			out = append(out, m.Name)
		}
		return out
	}
	samples := func(r *results.Run) (out []string) {
		for _, d := range r.Datasets {
			out = append(out, d.Name, d.ListSHA256, d.Samples)
		}
		return out
	}
	note("model weights or vocabulary", slices.Equal(hashesOf(a), hashesOf(b)))
	note("protocol", a.Protocol.Fingerprint == b.Protocol.Fingerprint)
	note("methods", slices.Equal(names(a), names(b)))
	note("data sets or planned samples (--limit, --only)", slices.Equal(samples(a), samples(b)))
	if len(differ) == 0 {
		note("class names, templates or parameters", a.Fingerprint == b.Fingerprint)
	}
	if len(differ) > 0 {
		return fmt.Errorf("they differ in %s", strings.Join(differ, ", "))
	}
	if b.Started.Before(a.Started) {
		a.Started = b.Started
	}
	if b.Finished.After(a.Finished) {
		a.Finished = b.Finished
	}
	if a.Timing.Seconds == nil {
		a.Timing.Seconds = map[string]float64{}
	}
	for stage, s := range b.Timing.Seconds {
		a.Timing.Seconds[stage] += s
	}
	a.Timing.Wall += b.Timing.Wall
	a.Panels = append(a.Panels, b.Panels...)
	for _, w := range b.Warnings {
		if !slices.Contains(a.Warnings, w) {
			a.Warnings = append(a.Warnings, w)
		}
	}
	return nil
}

// writeMerged writes the joined records and copies the panels.
func writeMerged(merged *results.Run, all []Record, dirs []string, out string) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(out, RecordsFile)); err == nil {
		return fmt.Errorf("%s holds the records of a run: choose another --out", out)
	}
	recs, err := openRecords(out, merged.Fingerprint, false)
	if err != nil {
		return err
	}
	for _, rec := range all {
		err = errors.Join(err, recs.add(rec))
	}
	if err := errors.Join(err, recs.close()); err != nil {
		return err
	}
	for _, dir := range dirs {
		from := filepath.Join(dir, "panels")
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.CopyFS(filepath.Join(out, "panels"), os.DirFS(from)); err != nil {
			return fmt.Errorf("panels of %s: %w", dir, err)
		}
	}
	return nil
}

// ranges writes ascending numbers as "0-3,5".
func ranges(xs []int) string {
	var parts []string
	for i := 0; i < len(xs); i++ {
		first := i
		for i+1 < len(xs) && xs[i+1] == xs[i]+1 {
			i++
		}
		if i == first {
			parts = append(parts, strconv.Itoa(xs[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", xs[first], xs[i]))
		}
	}
	return strings.Join(parts, ",")
}

// maxSamples bounds what parseRanges makes of a file from elsewhere.
const maxSamples = 10_000_000

func parseRanges(s string) ([]int, error) {
	var out []int
	if s == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a || b-a >= maxSamples-len(out) {
			return nil, fmt.Errorf("range %q is not understood", part)
		}
		for i := a; i <= b; i++ {
			out = append(out, i)
		}
	}
	return out, nil
}
