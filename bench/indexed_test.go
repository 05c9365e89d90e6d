package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"ovbench/bench/cluster"
	"ovbench/bench/records"
	"ovbench/runners/ort"
)

// pods run what a manifest's containers run: the volumes are folders of this machine, and an image's environment is
// set.
type pods struct {
	t            *testing.T
	program, out string
}

// args are those of a manifest's container.
func (p *pods) args(manifest string) []string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.out, manifest))
	if err != nil {
		p.t.Fatal(err)
	}
	var job struct {
		Spec struct {
			Template struct {
				Spec struct{ Containers []struct{ Args []string } }
			}
		}
	}
	if err := yaml.Unmarshal(text, &job); err != nil || len(job.Spec.Template.Spec.Containers) != 1 {
		p.t.Fatalf("%s: %v\n%s", manifest, err, text)
	}
	args := job.Spec.Template.Spec.Containers[0].Args
	for i, a := range args {
		args[i] = strings.NewReplacer("/out", p.out, "/data", p.t.TempDir()).Replace(a)
	}
	return args
}

// start starts a container; index is none of a Job that is not indexed.
func (p *pods) start(args []string, index string) (*exec.Cmd, *bytes.Buffer) {
	p.t.Helper()
	said := &bytes.Buffer{}
	c := exec.CommandContext(p.t.Context(), p.program, args...)
	c.Env = append(os.Environ(), "OVBENCH_CACHE="+filepath.Join(p.out, "cache"), "JOB_COMPLETION_INDEX="+index)
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	return c, said
}

// The pods of an Indexed Job run at once, with one cache of prompts that is empty at first. Some are killed, and
// started again. Their merge is the run of one process, nothing is measured twice, and the cache gives what was put in.
func TestIndexedJob(t *testing.T) {
	lib, err := ort.Find()
	if err != nil {
		t.Skipf("ONNX Runtime is not here (make setup): %v", err)
	}
	program, err := exec.LookPath("ovbench") // this program, by the name that has it run the command
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ONNXRUNTIME_SHARED_LIBRARY_PATH", lib.Path)
	t.Setenv("OVBENCH_CACHE", filepath.Join(t.TempDir(), "cache"))
	const parts = 3
	c := &campaign{t: t, program: program, dir: t.TempDir()}
	finish := func(args ...string) {
		t.Helper()
		if said, status := c.run(0, 0, args...); status != exitDone {
			t.Fatalf("%v: exit status %d\n%s", args, status, said)
		}
	}
	begun := time.Now()
	finish("run", "micro", "--threads", "1", "--out", "whole")
	whole := time.Since(begun)
	want := c.remains("whole")

	p := &pods{t, program, filepath.Join(c.dir, "out")}
	finish("submit", "k8s", "micro", "--shards", fmt.Sprint(parts), "--estimate=false", "--cpus", "1", "--image", "i:1",
		"--data-claim", "d", "--out-claim", "o", "--out", "out")
	run := p.args("job.yaml")
	for wave, signals := range [][parts]syscall.Signal{{syscall.SIGKILL, 0, syscall.SIGTERM}, {}} {
		var all [parts]*exec.Cmd
		var said [parts]*bytes.Buffer
		for i := range parts {
			all[i], said[i] = p.start(run, fmt.Sprint(i))
		}
		for i, signal := range signals {
			if signal != 0 {
				time.Sleep(time.Duration(rand.Float64() * float64(whole) / 2))
				_ = all[i].Process.Signal(signal) // it may have ended
			}
		}
		for i, pod := range all {
			if err := pod.Wait(); err != nil && signals[i] == 0 {
				t.Errorf("pod %d of wave %d: %v\n%s", i, wave, err, said[i])
			}
		}
	}
	measured := map[records.Key]bool{}
	for i := range parts {
		text, err := os.ReadFile(filepath.Join(cluster.Folder(p.out, i+1, parts), records.FileName))
		if err != nil {
			t.Fatal(err)
		}
		log, err := records.OpenLog(filepath.Join(cluster.Folder(p.out, i+1, parts), records.FileName))
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if lines := bytes.Count(text, []byte("\n")); lines != 1+len(log.Records) {
			t.Errorf("part %d has %d lines of %d samples", i+1, lines, len(log.Records))
		}
		for _, rec := range log.Records {
			measured[rec.Key()] = true
		}
	}
	if len(measured) != len(want.Records) {
		t.Errorf("%d samples measured, want %d", len(measured), len(want.Records))
	}
	merge, said := p.start(p.args("merge.yaml"), "")
	if err := merge.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	got := c.remains("out")
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("merged (-one process +pods):\n%s", diff)
	}
	t.Setenv("OVBENCH_CACHE", filepath.Join(p.out, "cache"))
	finish("run", "micro", "--threads", "1", "--out", "again")
	if kept, err := filepath.Glob(filepath.Join(p.out, "cache", "prompts", "*")); err != nil || len(kept) == 0 {
		t.Errorf("the pods keep no prompts: %v", err)
	}
	if diff := gocmp.Diff(want, c.remains("again")); diff != "" {
		t.Errorf("with prompts of the pods' cache (-own +theirs):\n%s", diff)
	}
}
