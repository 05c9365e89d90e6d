package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/cluster"
	"ovbench/bench/records"
	"ovbench/reports/results"
)

// slurmConf makes a Slurm of this machine alone, without root, accounting or control groups.
var slurmConf = template.Must(template.New("slurm.conf").Parse(`ClusterName=ovbench
SlurmctldHost={{.Host}}(127.0.0.1)
SlurmUser={{.User}}
SlurmdUser={{.User}}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={{.Dir}}/munge.socket
StateSaveLocation={{.Dir}}/state
SlurmdSpoolDir={{.Dir}}/spool
SlurmctldPidFile={{.Dir}}/slurmctld.pid
SlurmdPidFile={{.Dir}}/slurmd.pid
SlurmctldLogFile={{.Dir}}/slurmctld.log
SlurmdLogFile={{.Dir}}/slurmd.log
SlurmctldPort={{.Port}}
SlurmdPort={{.NodePort}}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=10
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
NodeName={{.Host}} NodeAddr=127.0.0.1 CPUs={{.CPUs}} State=UNKNOWN
PartitionName=all Nodes={{.Host}} Default=YES MaxTime=INFINITE State=UP
`))

// slurm is a running one.
type slurm struct {
	t    *testing.T
	dir  string
	host string
}

func startSlurm(t *testing.T) *slurm {
	t.Helper()
	if os.Getenv("OVBENCH_SLURM") == "" {
		t.Skip("OVBENCH_SLURM is not set: a Slurm is started only if asked for (make slurm)")
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, program := range []string{"slurmctld", "slurmd", "sbatch", "munged"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not here: install slurm-wlm and munge", program)
		}
	}
	dir, err := os.MkdirTemp("", "slurm") // short, for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := &slurm{t, dir, strings.SplitN(host, ".", 2)[0]}
	user, err := exec.CommandContext(t.Context(), "id", "-un").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var conf bytes.Buffer
	err = slurmConf.Execute(&conf, map[string]any{
		"Host": s.host, "User": strings.TrimSpace(string(user)), "Dir": dir, "CPUs": runtime.NumCPU(), "Port": freePort(t),
		"NodePort": freePort(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 1024)
	for i := range key {
		key[i] = byte(i * 37) // of a cluster that nobody else can reach
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "slurm.conf"), conf.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, "munge.key"), key, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	t.Cleanup(s.stop)
	s.must("munged", "--force", "--key-file="+dir+"/munge.key", "--socket="+dir+"/munge.socket",
		"--pid-file="+dir+"/munged.pid",
		"--log-file="+dir+"/munged.log", "--seed-file="+dir+"/munge.seed")
	s.must("slurmctld", "-c")
	s.must("slurmd")
	s.wait("the node", func() bool { return strings.Contains(s.try("sinfo", "-h", "-o", "%T"), "idle") })
	return s
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// stop ends the daemons and whatever they started.
func (s *slurm) stop() {
	s.try("scancel", "--state=PENDING", "--state=RUNNING")
	for _, name := range []string{"slurmd", "slurmctld", "munged"} {
		s.kill(name, syscall.SIGKILL)
	}
	if s.t.Failed() {
		s.t.Logf("what Slurm logged is in %s", s.dir)
		return
	}
	_ = os.RemoveAll(s.dir)
}

// kill sends a signal to a daemon.
func (s *slurm) kill(daemon string, signal syscall.Signal) {
	raw, err := os.ReadFile(filepath.Join(s.dir, daemon+".pid"))
	var pid int
	if _, scan := fmt.Sscan(string(raw), &pid); err == nil && scan == nil && pid > 1 {
		_ = syscall.Kill(pid, signal)
	}
}

// try is what a program prints, whatever comes of it.
func (s *slurm) try(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput()
	return string(out)
}

func (s *slurm) must(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// wait waits for something to become true.
func (s *slurm) wait(what string, ok func() bool) {
	s.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("%s did not come; the queue is\n%s", what, s.try("squeue", "-o", "%i %T %r"))
}

// idle waits until no job is left. Jobs that were put back start at once, not after Slurm's two minutes.
func (s *slurm) idle() {
	s.t.Helper()
	s.wait("the end of all jobs", func() bool {
		for line := range strings.Lines(s.try("squeue", "-h", "-r", "-o", "%i %T %r")) {
			if f := strings.Fields(line); len(f) > 2 && f[1] == "PENDING" && f[2] == "BeginTime" {
				s.try("scontrol", "update", "JobId="+f[0], "StartTime=now")
			}
		}
		return strings.TrimSpace(s.try("squeue", "-h")) == ""
	})
}

// TestSlurm carries a run through what clusters do to jobs: one task is killed, one told to stop, one loses its node.
// What comes of it is the run of one process, and nothing was measured twice.
func TestSlurm(t *testing.T) {
	s := startSlurm(t)
	dir := t.TempDir()
	ovbench := filepath.Join(dir, "ovbench")
	s.must("go", "build", "-o", ovbench, ".")
	run := []string{"demo", "--set", "methods=[clip, clip_surgery, gem]", "--set", "resamples=100", "--limit", "400",
		"--jobs", "1"}
	s.must(ovbench, append([]string{"run", "--out", filepath.Join(dir, "whole"), "--threads", "1"}, run...)...)

	out := filepath.Join(dir, "all parts")
	s.must(ovbench, append([]string{"submit", "slurm", "--shards", "4", "--at-once", "1", "--cpus", "1", "--out", out,
		"--now"}, run...)...)
	lines := func(part int) string {
		raw, _ := os.ReadFile(filepath.Join(cluster.Folder(out, part, 4), "records.jsonl"))
		return string(raw)
	}
	begun := func(part int) records.Heartbeat {
		t.Helper()
		s.wait(fmt.Sprintf("the first records of part %d", part), func() bool { return strings.Count(lines(part), "\n") > 3 })
		h, ok, err := records.ReadHeartbeat(cluster.Folder(out, part, 4))
		if err != nil || !ok {
			t.Fatalf("part %d says nothing of itself: %v", part, err)
		}
		return h
	}
	if err := syscall.Kill(begun(1).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h := begun(2)
	go s.try("scancel", "--batch", "--signal=TERM", h.Job) // which may stay until the job is put back
	s.wait("the end of part 2", func() bool {
		h, _, err := records.ReadHeartbeat(cluster.Folder(out, 2, 4))
		return err == nil && h.Ended
	})
	if h, _, _ := records.ReadHeartbeat(cluster.Folder(out, 2, 4)); h.Finished {
		t.Fatal("part 2 finished before it was told to stop: give it more to do")
	}
	h = begun(3)
	s.kill("slurmd", syscall.SIGKILL)
	_ = syscall.Kill(h.PID, syscall.SIGKILL)
	s.must("scontrol", "update", "NodeName="+s.host, "State=DOWN", "Reason=test")
	s.must("slurmd")
	s.try("scontrol", "update", "NodeName="+s.host, "State=RESUME") // unless it came back by itself
	s.idle()

	logs, _ := filepath.Glob(filepath.Join(out, "logs", "merge_*.log"))
	if len(logs) != 1 {
		t.Fatalf("%d logs of the job that joins the parts, want 1", len(logs))
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	// The fourth part may be lost too, if it was given to the node while that was down.
	again := regexp.MustCompile(`missing shards: 1( 4)? \(of 4\).*sbatch --array=(0(?:,3)?) `).FindSubmatch(text)
	if again == nil {
		t.Fatalf("the log does not say what to submit again:\n%s", text)
	}
	s.must("sbatch", "--array="+string(again[2]), filepath.Join(out, cluster.SlurmJob))
	s.idle()
	s.must(ovbench, "merge", out)

	var cells [2][]results.Cell
	for i, d := range []string{filepath.Join(dir, "whole"), out} {
		r, err := results.Read(d)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Complete {
			t.Errorf("%s is not complete", d)
		}
		cells[i] = r.Cells
	}
	if diff := cmp.Diff(cells[0], cells[1]); diff != "" {
		t.Error("scores differ:", diff)
	}
	measured := map[string]int{}
	for part := 1; part <= 4; part++ {
		for line := range strings.Lines(lines(part)) {
			var rec struct{ ID string }
			if json.Unmarshal([]byte(line), &rec) == nil && rec.ID != "" {
				measured[rec.ID]++
			}
		}
	}
	if len(measured) != 400 {
		t.Errorf("%d samples were measured, want 400", len(measured))
	}
	for id, n := range measured {
		if n != 1 {
			t.Errorf("%s was measured %d times", id, n)
		}
	}
}
