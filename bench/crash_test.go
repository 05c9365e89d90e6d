package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ovbench/bench/records"
	"ovbench/reports/results"
	"ovbench/runners/ort"
)

// campaign runs the command in a folder of its own, and kills it.
type campaign struct {
	t       *testing.T
	program string
	dir     string
	rng     *rand.Rand
}

// hang is how long a command may take: far longer than it does.
const hang = 2 * time.Minute

// run runs a command and kills it with sig after a while; 0 lets it end. It returns what it said and its exit status,
// -1 if it was killed. A command that hangs is told to dump its goroutines, and fails the test.
func (c *campaign) run(after time.Duration, sig syscall.Signal, args ...string) (output string, status int) {
	c.t.Helper()
	cmd := exec.Command(c.program, args...)
	cmd.Dir = c.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	kill := time.After(after)
	if sig == 0 {
		kill = nil
	}
	for limit := time.After(hang); ; {
		select {
		case <-kill:
			_ = cmd.Process.Signal(sig) // it may have ended
		case <-limit:
			_ = cmd.Process.Signal(syscall.SIGQUIT)
			time.Sleep(time.Second)
			_ = cmd.Process.Kill()
			<-ended
			c.t.Fatalf("%v hangs:\n%s", args, out.String())
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				c.t.Fatal(err)
			}
			return out.String(), cmd.ProcessState.ExitCode()
		}
	}
}

// remains is what a run folder holds at last: every sample's record, word for word, and the scores.
type remains struct {
	Complete bool
	Records  []string
	Cells    []results.Cell
	Panels   []results.Panel
}

func (c *campaign) remains(dir string) (out remains) {
	c.t.Helper()
	dir = filepath.Join(c.dir, dir)
	run, err := results.Read(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	lines := map[records.Key]string{}
	data, err := os.ReadFile(filepath.Join(dir, records.FileName))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		var rec records.Record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			c.t.Fatal(err)
		}
		lines[rec.Key()] = line
	}
	for _, line := range lines {
		out.Records = append(out.Records, line)
	}
	slices.Sort(out.Records)
	slices.SortFunc(run.Panels, func(a, b results.Panel) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), cmp.Compare(a.ID, b.ID))
	})
	out.Complete, out.Cells, out.Panels = run.Complete, run.Cells, run.Panels
	entries, err := os.ReadDir(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && e.Name() != records.LockFile {
			c.t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
	return out
}

// A run that is killed at any moment, any number of times, and continued, leaves the records and scores of one that was
// not, to the byte; so does a merge of such runs. No command hangs, and no crash looks like wrong usage. OVBENCH_CRASH
// is the number of kills, OVBENCH_CRASH_SEED repeats a campaign.
func TestCrashes(t *testing.T) {
	lib, err := ort.Find()
	if err != nil {
		if os.Getenv("OVBENCH_PARITY") == "1" {
			t.Fatal(err)
		}
		t.Skipf("ONNX Runtime is not here (make setup): %v", err)
	}
	kills, err := strconv.Atoi(cmp.Or(os.Getenv("OVBENCH_CRASH"), "6"))
	if err != nil {
		t.Fatalf("OVBENCH_CRASH: %v", err)
	}
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("OVBENCH_CRASH_SEED"), fmt.Sprint(time.Now().UnixNano())), 10, 64)
	if err != nil {
		t.Fatalf("OVBENCH_CRASH_SEED: %v", err)
	}
	t.Logf("%d kills, OVBENCH_CRASH_SEED=%d", kills, seed)
	program, err := exec.LookPath("ovbench") // this program, by the name that has it run the command
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ONNXRUNTIME_SHARED_LIBRARY_PATH", lib.Path)
	t.Setenv("OVBENCH_CACHE", filepath.Join(t.TempDir(), "cache"))
	c := &campaign{t: t, program: program, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0))}
	measure := func(out string, more ...string) []string {
		return append([]string{"run", "micro", "--threads", "1", "--save", "labels", "--resume", "--out", out}, more...)
	}
	finish := func(args ...string) time.Duration {
		t.Helper()
		begun := time.Now()
		if said, status := c.run(0, 0, args...); status != exitDone {
			t.Fatalf("%v: exit status %d\n%s", args, status, said)
		}
		return time.Since(begun)
	}
	finish(measure("warm")...) // unpacks what is built in
	whole := finish(measure("whole")...)
	want := c.remains("whole")
	if !want.Complete || len(want.Records) == 0 || len(want.Panels) == 0 {
		t.Fatalf("the run that nobody kills: %d records, %d panels, complete %v", len(want.Records), len(want.Panels),
			want.Complete)
	}
	interrupted := 0
	killed := func(args ...string) bool {
		t.Helper()
		sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}[c.rng.IntN(4)]
		after := time.Duration(c.rng.Float64() * float64(whole))
		said, status := c.run(after, sig, args...)
		switch {
		case status == exitDone: // it was faster: the machine has less to do than before
			whole = whole * 9 / 10
			return false
		case sig == syscall.SIGKILL && status == -1, sig != syscall.SIGKILL && (status == exitInterrupted || status == -1):
			interrupted++
			return true
		}
		t.Errorf("%v killed with %v after %v: exit status %d\n%s", args, sig, after, status, said)
		return false
	}
	for trial := 0; interrupted < kills && trial < 5*kills && !t.Failed(); trial++ {
		n := 0
		out := fmt.Sprint("run", trial)
		for range 1 + c.rng.IntN(3) {
			if !killed(measure(out)...) {
				break
			}
			n++
		}
		finish(measure(out)...)
		if diff := gocmp.Diff(want, c.remains(out)); diff != "" {
			t.Errorf("%s, killed %d times (-never +killed):\n%s", out, n, diff)
		}
	}
	// Shards and their merge.
	for i := range 2 {
		out := fmt.Sprint("part", i)
		killed(measure(out, "--shard", fmt.Sprintf("%d/2", i+1))...)
		finish(measure(out, "--shard", fmt.Sprintf("%d/2", i+1))...)
	}
	for range max(2, kills/10) {
		killed("merge", "part0", "part1", "--out", "merged")
		if _, err := os.Stat(filepath.Join(c.dir, "merged", results.FileName)); err == nil {
			break // it was faster
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, "merged", results.FileName)); err != nil {
		finish("merge", "part0", "part1", "--out", "merged")
	}
	merged := c.remains("merged")
	if diff := gocmp.Diff(want, merged); diff != "" {
		t.Errorf("merged (-never +killed):\n%s", diff)
	}
	t.Logf("%d of the kills came before the end", interrupted)
}
