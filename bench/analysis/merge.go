package analysis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports/results"
)

// Merge joins the run folders dirs, shards of one run, into the folder out. Folders that measured unlike
// things are refused; absent samples make the result incomplete.
func Merge(dirs []string, out string) (*results.Run, error) {
	var (
		merged *results.Run
		all    []records.Record
	)
	seen := map[records.Key]string{}
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
			key := rec.Key()
			if before, ok := seen[key]; ok && rec.Error == "" {
				return nil, fmt.Errorf("sample %s of %s is in both %s and %s", rec.ID, rec.Dataset, before, dir)
			}
			if rec.Error == "" {
				seen[key] = dir
			}
			all = append(all, rec)
		}
	}
	suite, err := configs.Parse(merged.Suite.File, []byte(merged.Suite.Text), tasks.Known())
	if err != nil {
		return nil, fmt.Errorf("the suite recorded in %s: %w", dirs[0], err)
	}
	planned, err := records.Planned(merged)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dirs[0], err)
	}
	if err := clearMerged(out, dirs, seen); err != nil {
		return nil, err
	}
	if err := writeMerged(merged, all, dirs, out); err != nil {
		return nil, err
	}
	merged.Shard = ""
	return merged, tasks.Finish(merged, all, planned, out, suite)
}

func readShard(dir string) (*results.Run, []records.Record, error) {
	r, err := results.Read(dir)
	if err != nil {
		return nil, nil, err
	}
	head, recs, _, err := records.Read(filepath.Join(dir, records.FileName))
	if err != nil {
		return nil, nil, err
	}
	if head.Fingerprint != r.Fingerprint {
		return nil, nil, fmt.Errorf("%s: %s belongs to another run than %s", dir, records.FileName, "results.json")
	}
	return r, records.Last(recs), nil
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
	note("model weights or vocabulary", slices.Equal(a.Hashes(), b.Hashes()))
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
	a.Timing.CPU += b.Timing.CPU
	a.Panels = append(a.Panels, b.Panels...)
	for _, w := range b.Warnings {
		if !slices.Contains(a.Warnings, w) {
			a.Warnings = append(a.Warnings, w)
		}
	}
	return nil
}

// clearMerged takes away what an earlier merge left in out. Only a folder that holds the shards itself is cleared, and only
// of records that the shards have too: nothing is lost.
func clearMerged(out string, dirs []string, seen map[records.Key]string) error {
	path := filepath.Join(out, records.FileName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range dirs {
		if inside, err := filepath.Rel(out, dir); err != nil || !filepath.IsLocal(inside) || inside == "." {
			return nil // writeMerged refuses it
		}
	}
	_, old, _, err := records.Read(path)
	if err != nil {
		return fmt.Errorf("%w; delete it, if %s holds nothing but shards and their merge", err, out)
	}
	for _, rec := range old {
		if _, ok := seen[rec.Key()]; !ok && rec.Error == "" {
			return fmt.Errorf("%s holds records of its own, such as %s of %s, which no shard has: choose another --out", out, rec.ID, rec.Dataset)
		}
	}
	return errors.Join(os.Remove(path), os.RemoveAll(filepath.Join(out, results.FileName)), os.RemoveAll(filepath.Join(out, "panels")))
}

// writeMerged writes the joined records and copies the panels.
func writeMerged(merged *results.Run, all []records.Record, dirs []string, out string) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(out, records.FileName)); err == nil {
		return fmt.Errorf("%s holds the records of a run: choose another --out", out)
	}
	recs, err := records.Open(out, merged.Fingerprint, false)
	if err != nil {
		return err
	}
	for _, rec := range all {
		err = errors.Join(err, recs.Add(rec))
	}
	if err := errors.Join(err, recs.Close()); err != nil {
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
