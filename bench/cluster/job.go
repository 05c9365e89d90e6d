package cluster

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Job is a run in parts, for a scheduler to carry out. Relative paths in Args hold in WorkDir.
type Job struct {
	Name    string   // of the suite
	Out     string   // the one output folder, absolute
	WorkDir string   // where Args were typed, absolute
	Program string   // the ovbench to call, absolute
	Args    []string // of ovbench run: suites and flags, without --out, --shard, --resume and --threads
	Suites  []Suite  // files among Args, for machines that do not see them
	Runs    []string // run folders that come of it: Out, or one of each suite below it

	Shards int // parts
	AtOnce int // parts at the same time; 0 is as many as there are places
	CPUs   int
	GPUs   int
	Memory string // as the scheduler writes it: 32G
	Time   string // limit of one part, as Slurm writes it: 2:00:00
	Image  string // a container's, with ovbench as its entry point

	Partition, Account string   // Slurm
	Sbatch             []string // further options of Slurm, as they are

	DataClaim, OutClaim string // Kubernetes: volume claims with data and for output

	// Estimate says what a part takes, for a comment; it may be empty.
	Estimate string
}

// Suite is the text of a suite that is a file.
type Suite struct{ Path, Text string }

// manyShards is the number of array jobs that schedulers take as they come (MaxArraySize of Slurm is 1001).
const manyShards = 1000

var (
	memory = regexp.MustCompile(`^[1-9][0-9]{0,8}[KMGT]?$`)
	// limit is days-hours:minutes:seconds, or its parts as Slurm takes them.
	limit = regexp.MustCompile(`^(?:(\d{1,3})-)?(\d{1,5})(?::(\d{1,2}))?(?::(\d{1,2}))?$`)
)

// Check says all that is wrong with a job, at once.
func (j *Job) Check() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(j.Shards < 1 ||
		j.Shards > manyShards, "--shards %d: want 1 to %d, as array jobs have; a part should last 20 to 60 minutes", j.Shards,
		manyShards)
	fault(j.AtOnce < 0, "--at-once %d: want 0 for all, or more", j.AtOnce)
	fault(j.CPUs < 1, "--cpus %d: want 1 or more", j.CPUs)
	fault(j.GPUs < 0, "--gpus %d: want 0 or more", j.GPUs)
	fault(j.Memory != "" && !memory.MatchString(j.Memory), "--mem %q: want a number with K, M, G or T, such as 32G",
		j.Memory)
	if _, err := seconds(j.Time); err != nil {
		faults = append(faults, err)
	}
	for _, s := range append(append([]string{j.Out, j.WorkDir, j.Program, j.Image, j.Partition, j.Account, j.DataClaim,
		j.OutClaim}, j.Args...), j.Sbatch...) {
		fault(strings.ContainsAny(s, "\n\r\x00"), "%q holds a line break, which no job file can", s)
	}
	return errors.Join(faults...)
}

// seconds is a time limit as Slurm writes it (minutes, minutes:seconds, hours:minutes:seconds, days-hours…); 0 where
// there is none.
func seconds(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	m := limit.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("--time %q: want minutes, hours:minutes:seconds or days-hours:minutes:seconds, such as 2:00:00",
			text)
	}
	var n [4]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(m[i+1], 10, 64) // empty is 0
	}
	hours, minutes, secs := n[1], n[2], n[3]
	if m[1] == "" && m[4] == "" { // minutes, or minutes:seconds
		hours, minutes, secs = 0, n[1], n[2]
	}
	total := ((n[0]*24+hours)*60+minutes)*60 + secs
	if total == 0 {
		return 0, fmt.Errorf("--time %q is no time at all", text)
	}
	return total, nil
}

// run is the command line of any part, behind the program.
func (j *Job) run(out string) []string {
	args := append([]string{"run"}, j.Args...)
	return append(args, "--out", out, "--shard", fmt.Sprintf("auto/%d", j.Shards), "--resume")
}

// label is the job's name as DNS labels are: at most 40 letters, digits and dashes, which leaves room for an index.
func (j *Job) label() string {
	var b strings.Builder
	for _, r := range strings.ToLower("ovbench-" + j.Name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := b.String()
	return strings.TrimRight(s[:min(len(s), 40)], "-")
}

// Shell spells words so that a shell reads them as they are.
func Shell(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if w == "" || strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%") != "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out[i] = w
	}
	return strings.Join(out, " ")
}
