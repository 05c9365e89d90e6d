package analysis

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports/results"
)

// Merge joins the run folders dirs, shards of one run, into the folder out. Folders that measured unlike
// things are refused; absent samples make the result incomplete, and the shards that they belong to are lacking,
// counted from 1. A merge that was killed can be repeated.
func Merge(dirs []string, out string) (_ *results.Run, lacking []int, _ error) {
	var merged *shard
	seen := map[records.Key]string{}
	for _, dir := range dirs {
		s, err := readShard(dir)
		if err != nil {
			return nil, nil, err
		}
		defer s.log.Close()
		for key := range seenIn(s.records, dir) {
			if before, ok := seen[key]; ok {
				return nil, nil, fmt.Errorf("sample %d of %s is in both %s and %s", key.Index, key.Dataset, before, dir)
			}
			seen[key] = dir
		}
		if merged == nil {
			merged = s
		} else if err := merged.absorb(s); err != nil {
			return nil, nil, fmt.Errorf("%s and %s cannot be joined: %w", dirs[0], dir, err)
		}
	}
	planned, err := records.Planned(merged.run)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dirs[0], err)
	}
	if err := clearMerged(out, dirs, merged.log.Header, seen); err != nil {
		return nil, nil, err
	}
	if err := merged.write(dirs, out); err != nil {
		return nil, nil, err
	}
	lacking = merged.lacking(planned)
	merged.run.Shard = ""
	return merged.run, lacking, tasks.Finish(merged.run, merged.records, planned, out, merged.suite)
}

// lacking are the shards of planned samples without a record, ascending; none where the run has no shards.
func (s *shard) lacking(planned map[string][]int) []int {
	_, of, _ := strings.Cut(s.run.Shard, "/")
	count, err := strconv.Atoi(of)
	if err != nil || count < 1 {
		return nil
	}
	have := map[records.Key]bool{}
	for _, r := range s.records {
		have[r.Key()] = true
	}
	shards := map[int]bool{}
	for name, indices := range planned {
		for _, i := range indices {
			if !have[records.Key{Dataset: name, Index: i}] {
				shards[i%count+1] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(shards))
}

// shard is what a run folder holds, its panels apart.
type shard struct {
	run     *results.Run
	suite   *configs.Suite
	log     *records.Log
	records []records.Record // of the log, then of those absorbed
}

// readShard reads a run folder, with the suite that says how its records are scored.
func readShard(dir string) (*shard, error) {
	r, err := results.Read(dir)
	if err != nil {
		return nil, err
	}
	suite, err := configs.Parse(r.Suite.File, []byte(r.Suite.Text), tasks.Known())
	if err != nil {
		return nil, fmt.Errorf("the suite recorded in %s: %w", dir, err)
	}
	log, err := openLog(dir, r)
	if err != nil {
		return nil, err
	}
	return &shard{run: r, suite: suite, log: log, records: log.Records}, nil
}

// seenIn are the samples that a folder has good records of.
func seenIn(recs []records.Record, dir string) map[records.Key]string {
	out := map[records.Key]string{}
	for _, rec := range recs {
		if rec.Error == "" {
			out[rec.Key()] = dir
		}
	}
	return out
}

// absorb adds what another shard measured, if both are parts of one run.
func (s *shard) absorb(other *shard) error {
	a, b := s.run, other.run
	var differ []string
	note := func(what string, same bool) {
		if !same {
			differ = append(differ, what)
		}
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
	note("the decoder of JPEG files", a.Runtime.JPEG == b.Runtime.JPEG)
	if len(differ) == 0 && a.Fingerprint != b.Fingerprint {
		differ = append(differ, s.log.Header.Differ(other.log.Header))
	}
	if len(differ) == 0 { // what only scoring reads: the order of the shards must not choose
		x, y := s.suite, other.suite
		note("seed", x.Seed == y.Seed)
		note("resamples", x.Resamples == y.Resamples)
		note("metrics", slices.Equal(x.Metrics, y.Metrics))
		if len(differ) > 0 {
			return fmt.Errorf("they are scored with unlike %s (ovbench rescore makes them alike)", strings.Join(differ, ", "))
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("they differ in %s", strings.Join(differ, ", "))
	}
	s.records = append(s.records, other.records...)
	for what, of := range map[string][2]string{
		"ovbench": {a.Tool.Version, b.Tool.Version}, "revisions of ovbench": {a.Tool.Revision, b.Tool.Revision},
		cmp.Or(a.Runtime.Name, "runtime"): {a.Runtime.Version, b.Runtime.Version},
	} {
		if of[0] != of[1] {
			b.Warnings = append(b.Warnings,
				fmt.Sprintf("joined from parts of unlike %s: %s and %s", what, cmp.Or(of[0], "unknown"), cmp.Or(of[1], "unknown")))
		}
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

// clearMerged takes away what an earlier merge left in out: one that was killed before it had results, or one into
// the folder that holds the shards themselves. It takes no record that the shards lack: nothing is lost.
func clearMerged(out string, dirs []string, header records.Header, seen map[records.Key]string) error {
	outside := slices.ContainsFunc(dirs, func(dir string) bool {
		inside, err := filepath.Rel(out, dir)
		return err != nil || !filepath.IsLocal(inside) || inside == "."
	})
	if outside {
		if err := records.CheckFolder(out); err != nil {
			return err
		}
	}
	path := filepath.Join(out, records.FileName)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(out, results.FileName)); outside && err == nil {
		return fmt.Errorf("%s holds the records of a run: choose another --out", out)
	}
	old, err := records.OpenLog(path)
	if err != nil {
		return fmt.Errorf("%w; delete it, if %s holds nothing but shards and their merge", err, out)
	}
	defer old.Close()
	if outside && old.Header.Fingerprint != header.Fingerprint {
		return fmt.Errorf("%s holds the records of a run: choose another --out", out)
	}
	for _, rec := range old.Records {
		if _, ok := seen[rec.Key()]; !ok && rec.Error == "" {
			return fmt.Errorf("%s holds records of its own, such as %s of %s, which no shard has: choose another --out", out,
				rec.ID, rec.Dataset)
		}
	}
	return errors.Join(os.Remove(path), os.RemoveAll(filepath.Join(out, results.FileName)),
		os.RemoveAll(filepath.Join(out, panelsFolder)))
}

const panelsFolder = "panels"

// write writes the joined records and copies the panels of dirs: first beside, then, whole, to their places.
func (s *shard) write(dirs []string, out string) error {
	beside := filepath.Join(out, records.Unfinished)
	if err := errors.Join(os.RemoveAll(beside), os.MkdirAll(beside, 0o777)); err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	recs, err := records.Open(beside, s.log.Header, false)
	if err != nil {
		return err
	}
	slices.SortStableFunc(s.records, records.ByIndex)
	for _, rec := range s.records {
		err = errors.Join(err, recs.Add(rec))
	}
	if err := errors.Join(err, recs.Close()); err != nil {
		return err
	}
	panels := filepath.Join(beside, panelsFolder)
	for _, dir := range dirs {
		from := filepath.Join(dir, panelsFolder)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.CopyFS(panels, os.DirFS(from)); err != nil {
			return fmt.Errorf("panels of %s: %w", dir, err)
		}
	}
	if err := os.Rename(filepath.Join(beside, records.FileName), filepath.Join(out, records.FileName)); err != nil {
		return err
	}
	if err := os.Rename(panels, filepath.Join(out, panelsFolder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
