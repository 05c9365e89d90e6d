package cluster

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/records"
	"ovbench/reports/results"
)

// TestPart holds what each scheduler's documentation says of its variable.
func TestPart(t *testing.T) {
	for _, c := range []struct {
		env  string
		want int
		err  string // part of the error, if one is wanted
	}{
		{"OVBENCH_SHARD=1", 1, ""},
		{"OVBENCH_SHARD=16", 16, ""},
		{"OVBENCH_SHARD=0", 0, "from 1 to 16"},
		{"OVBENCH_SHARD=17", 0, "from 1 to 16"},
		{"OVBENCH_SHARD=x", 0, "not a number"},
		{"SLURM_ARRAY_TASK_ID=0", 1, ""},
		{"SLURM_ARRAY_TASK_ID=15", 16, ""},
		{"SLURM_ARRAY_TASK_ID=16", 0, "--array=0-15"},
		// --array=3,7: the count is 2, and says nothing of the division.
		{"SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=7", 8, ""},
		{"JOB_COMPLETION_INDEX=0", 1, ""},
		{"PBS_ARRAY_INDEX=1", 1, ""},
		{"PBS_ARRAY_INDEX=0", 0, "-J 1-16"},
		{"LSB_JOBINDEX=2", 2, ""},
		{"LSB_JOBINDEX=0", 0, "no job of an array"},
		{"SGE_TASK_ID=3", 3, ""},
		{"SGE_TASK_ID=undefined", 0, "no job of an array"},
		{"", 0, "no job of an array"},
		{"OVBENCH_SHARD=4 SLURM_ARRAY_TASK_ID=9", 4, ""},
	} {
		env := map[string]string{}
		for kv := range strings.FieldsSeq(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		got, _, err := Part(16, func(k string) string { return env[k] })
		if err == nil {
			err = os.ErrNotExist // a word for "none" that holds no wanted part
		}
		if got != c.want || c.err != "" && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: part %d and %q, want %d and %q", c.env, got, err, c.want, c.err)
		}
	}
}

func TestFind(t *testing.T) {
	out := t.TempDir()
	if _, err := Find(out); err == nil {
		t.Error("a folder without parts is taken for one")
	}
	for _, part := range []int{1, 2, 12} {
		if err := os.MkdirAll(Folder(out, part, 12), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []string{"notes", "013-of-012", "001-of-012.old"} {
		if err := os.MkdirAll(filepath.Join(out, "shards", other), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Find(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 4, 5, 6, 7, 8, 9, 10, 11}, p.Missing); diff != "" {
		t.Error("missing:", diff)
	}
	found := map[int]string{1: Folder(out, 1, 12), 2: Folder(out, 2, 12), 12: Folder(out, 12, 12)}
	if diff := cmp.Diff(found, p.Found); diff != "" {
		t.Error("found:", diff)
	}
	if got := Array(p.Missing); got != "2-10" {
		t.Errorf("array %s, want 2-10", got)
	}
	if got := Array([]int{4, 8, 9}); got != "3,7-8" {
		t.Errorf("array %s, want 3,7-8", got)
	}
	if err := os.MkdirAll(Folder(out, 1, 16), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(out); err == nil || !strings.Contains(err.Error(), "3 of 12, 1 of 16") {
		t.Errorf("two divisions give %v", err)
	}
}

// A part is done when its results are there too, and one of a clock that is far off, either way, is not said to run.
func TestSurvey(t *testing.T) {
	out, now := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, part := range []struct {
		beat    records.Heartbeat
		results bool
		want    State
	}{
		{records.Heartbeat{Updated: now.Add(-time.Hour), Finished: true, Ended: true}, true, Done},
		{records.Heartbeat{Updated: now.Add(-time.Hour), Finished: true, Ended: true}, false, Stopped}, // the disk was full
		{records.Heartbeat{Updated: now, Finished: true, Ended: true}, false, Running},
		{records.Heartbeat{Updated: now.Add(-time.Minute)}, true, Running}, // again, with --resume
		{records.Heartbeat{Updated: now, Ended: true}, false, Stopped},
		{records.Heartbeat{Updated: now.Add(-time.Hour)}, false, Stopped},
		{records.Heartbeat{Updated: now.Add(time.Hour)}, false, Stopped},
	} {
		dir := Folder(out, i+1, 7)
		raw, err := json.Marshal(part.beat)
		err = errors.Join(err, os.MkdirAll(dir, 0o777), os.WriteFile(filepath.Join(dir, records.HeartbeatFile), raw, 0o666))
		if part.results {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, results.FileName), nil, 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Survey(out, now); err != nil || s.Parts[i].State != part.want {
			t.Errorf("part %d is %q (%v), want %q", i+1, s.Parts[i].State, err, part.want)
		}
	}
}

// odd is a job whose words need quotes everywhere.
func odd() *Job {
	return &Job{
		Name: "My süite / 2", Out: "/scratch/a b/$HOME", WorkDir: "/home/o'neil", Program: "/opt/ovbench",
		Args:   []string{"mine suite.yaml", "--only=x'; touch /tmp/broken", "--set=methods=[clip, gem]"},
		Suites: []Suite{{"mine suite.yaml", "name: \"mine\"\n# <&>\n"}},
		Runs:   []string{"/scratch/a b/$HOME"},
		Shards: 16, AtOnce: 8, CPUs: 4, GPUs: 1, Memory: "32G", Time: "1-02:00:00", Partition: "p", Account: "a",
		Sbatch: []string{"--qos=short"}, Image: "registry.example/ovbench:1", DataClaim: "data", OutClaim: "out",
		Estimate: "about 41 minutes a part",
	}
}

func TestCheck(t *testing.T) {
	j := odd()
	if err := j.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Job){
		"--shards 0":   func(j *Job) { j.Shards = 0 },
		"1001":         func(j *Job) { j.Shards = 1001 },
		"--cpus":       func(j *Job) { j.CPUs = 0 },
		"--mem":        func(j *Job) { j.Memory = "lots" },
		"--time":       func(j *Job) { j.Time = "soon" },
		"no time":      func(j *Job) { j.Time = "0:00" },
		"line break":   func(j *Job) { j.Sbatch = []string{"--qos=x\nrm -rf /"} },
		"line break\"": func(j *Job) { j.Out = "/a\nb" },
	} {
		j := odd()
		change(j)
		if err := j.Check(); err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, `"`)) {
			t.Errorf("want an error of %s, got %v", want, err)
		}
	}
}

// The forms of --time are those of the manual of sbatch.
func TestSeconds(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "90": 5400, "1:30": 90, "2:00:00": 7200, "1-02": 93600,
		"1-02:30": 95400, "1-02:00:01": 93601} {
		if got, err := seconds(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
}
