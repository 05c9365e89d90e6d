package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ovbench/runners/files"

	"github.com/google/renameio/v2"
)

// HeartbeatFile says, in a run folder, who works there and how far they are.
const HeartbeatFile = "heartbeat.json"

// Beat is the time between two heartbeats; Silence is how long none comes before a run counts as stopped.
const (
	Beat    = 20 * time.Second
	Silence = 6 * Beat
)

// Heartbeat is what a process says of its work in a run folder.
type Heartbeat struct {
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Job      string    `json:"job,omitempty"` // of the scheduler
	Started  time.Time `json:"started"`
	Updated  time.Time `json:"updated"`
	Planned  int       `json:"planned"`         // samples of this folder
	Before   int       `json:"before"`          // of these, done by earlier processes
	Done     int       `json:"done"`            // of Planned, by now
	Failed   int       `json:"failed"`          // of Done
	Finished bool      `json:"finished"`        // all that was planned was tried
	Ended    bool      `json:"ended,omitempty"` // by itself: finished, or told to stop
}

// jobName is what the scheduler calls this job, or nothing.
func jobName(getenv func(string) string) string {
	if id := getenv("SLURM_ARRAY_JOB_ID"); id != "" {
		return id + "_" + getenv("SLURM_ARRAY_TASK_ID")
	}
	for _, name := range []string{"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"} {
		if id := getenv(name); id != "" {
			return id
		}
	}
	return ""
}

// String says who it is.
func (h Heartbeat) String() string {
	s := fmt.Sprintf("process %d on %s", h.PID, h.Host)
	if h.Job != "" {
		s += ", job " + h.Job
	}
	return s + ", last heard of " + h.Updated.Format("2006-01-02 15:04:05")
}

// pulse writes the heartbeat of this process into a run folder, every few seconds until it ends. Nothing depends on
// it but what others are told, so a heartbeat that cannot be written is no fault.
type pulse struct {
	mu   sync.Mutex
	dir  string
	beat Heartbeat
	stop chan struct{}
}

func startPulse(dir string) *pulse {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	p := &pulse{dir: dir, stop: make(chan struct{})}
	p.beat = Heartbeat{Host: host, PID: os.Getpid(), Job: jobName(os.Getenv), Started: time.Now()}
	p.change(func(*Heartbeat) {})
	go func() {
		tick := time.NewTicker(Beat)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.change(func(*Heartbeat) {})
			}
		}
	}()
	return p
}

// change writes the heartbeat after a change of it.
func (p *pulse) change(f func(*Heartbeat)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.beat)
	p.beat.Updated = time.Now()
	if raw, err := json.Marshal(p.beat); err == nil {
		_ = renameio.WriteFile(filepath.Join(p.dir, HeartbeatFile), append(raw, '\n'), 0o666)
	}
}

// tried counts a sample. The file follows with the next beat.
func (p *pulse) tried(failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Done++
	if failed {
		p.beat.Failed++
	}
}

func (p *pulse) end() {
	close(p.stop)
	p.change(func(h *Heartbeat) { h.Ended, h.Finished = true, h.Done >= h.Planned })
}

// maxHeartbeat bounds the file.
const maxHeartbeat = 1 << 16

// ReadHeartbeat reads that of a run folder. A folder without one is no error, and ok is false.
func ReadHeartbeat(dir string) (h Heartbeat, ok bool, err error) {
	path := filepath.Join(dir, HeartbeatFile)
	raw, err := files.Read(path, maxHeartbeat)
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return Heartbeat{}, false, fmt.Errorf("%s: %w; delete it, nothing is lost with it", path, err)
	}
	return h, true, nil
}
