// Package cluster answers: how do the schedulers people have run one suite as many jobs?
//
// ovbench has no scheduler of its own. [Part] says which part of a run a job is, from what its scheduler tells it.
// [Folder] says where that part goes below the one output folder of all, and [Survey] what is there. [Slurm] and
// [Kubernetes] write the job files.
package cluster

import (
	"fmt"
	"strconv"
)

// Variables lists what schedulers tell their jobs, and the number that their first job gets.
// The first one that is set counts.
var Variables = []struct {
	Name  string
	First int
}{
	{"OVBENCH_SHARD", 1},
	{"SLURM_ARRAY_TASK_ID", 0}, // as the files of Slurm count: --array=0-(N-1)
	{"JOB_COMPLETION_INDEX", 0},
	{"PBS_ARRAY_INDEX", 1},
	{"LSB_JOBINDEX", 1},
	{"SGE_TASK_ID", 1},
}

// Part reads which of count parts, counted from 1, this process is to measure, and from which variable. The count is
// never read from a scheduler: --array=3,7 of sixteen parts tells the job of a count of two. Outside an array it fails.
func Part(count int, getenv func(string) string) (part int, variable string, err error) {
	for _, v := range Variables {
		text := getenv(v.Name)
		if text == "" || outside(v.Name, text) {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, v.Name, fmt.Errorf("%s is %.40q, not a number: set OVBENCH_SHARD to a number from 1 to %d", v.Name, text,
				count)
		}
		if part = n - v.First + 1; part < 1 || part > count {
			return 0, v.Name, fmt.Errorf("%s is %d, but the parts of %d are numbered from %d to %d: submit %s, or set "+
				"OVBENCH_SHARD",
				v.Name, n, count, v.First, v.First+count-1, array(v.Name, v.First, count))
		}
		return part, v.Name, nil
	}
	return 0, "", fmt.Errorf("this is no job of an array: none of OVBENCH_SHARD, SLURM_ARRAY_TASK_ID, "+
		"JOB_COMPLETION_INDEX, "+
		"PBS_ARRAY_INDEX, LSB_JOBINDEX and SGE_TASK_ID is set; write --shard i/%d, or submit one (ovbench submit --help)",
		count)
}

// outside reports whether a scheduler says with text that the job is in no array.
func outside(variable, text string) bool {
	return variable == "SGE_TASK_ID" && text == "undefined" || variable == "LSB_JOBINDEX" && text == "0"
}

// array spells the numbers of all parts as the scheduler of a variable takes them.
func array(variable string, first, count int) string {
	last := first + count - 1
	switch variable {
	case "SLURM_ARRAY_TASK_ID":
		return fmt.Sprintf("--array=%d-%d", first, last)
	case "PBS_ARRAY_INDEX":
		return fmt.Sprintf("-J %d-%d", first, last)
	case "LSB_JOBINDEX":
		return fmt.Sprintf("-J 'name[%d-%d]'", first, last)
	case "SGE_TASK_ID":
		return fmt.Sprintf("-t %d-%d", first, last)
	case "JOB_COMPLETION_INDEX":
		return fmt.Sprintf("completions: %d", count)
	}
	return fmt.Sprintf("numbers from %d to %d", first, last)
}
