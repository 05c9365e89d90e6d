package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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

// NewHeartbeat is that of this process, beginning now.
func NewHeartbeat(planned, done int) Heartbeat {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Heartbeat{Host: host, PID: os.Getpid(), Job: jobName(os.Getenv), Started: time.Now(), Planned: planned, Before: done, Done: done}
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

// Write puts the heartbeat into a run folder, with the time.
func (h Heartbeat) Write(dir string) error {
	h.Updated = time.Now()
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, HeartbeatFile), append(raw, '\n'), 0o666)
}

// maxHeartbeat bounds the file.
const maxHeartbeat = 1 << 16

// ReadHeartbeat reads that of a run folder. A folder without one is no error, and ok is false.
func ReadHeartbeat(dir string) (h Heartbeat, ok bool, err error) {
	path := filepath.Join(dir, HeartbeatFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, false, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		return h, false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return h, false, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxHeartbeat))
	if err == nil {
		err = json.Unmarshal(raw, &h)
	}
	if err != nil {
		return Heartbeat{}, false, fmt.Errorf("%s: %w; delete it, nothing is lost with it", path, err)
	}
	return h, true, nil
}
