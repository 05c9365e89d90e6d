package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ovbench/bench/records"
)

// shardsFolder holds the folders of parts, in the output folder of all.
const shardsFolder = "shards"

// Folder is where a part goes below the folder out of all: shards/003-of-016. The count is in the name, so that parts
// of another division cannot write over it.
func Folder(out string, part, count int) string {
	width := max(3, len(strconv.Itoa(count)))
	return filepath.Join(out, shardsFolder, fmt.Sprintf("%0*d-of-%0*d", width, part, width, count))
}

// CheckOut refuses a folder for runs below it, or for jobs that make them, which holds other things or is a run itself.
func CheckOut(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		below := filepath.Join(dir, e.Name())
		if e.Name() == shardsFolder || e.Name() == SlurmJob || e.Name() == KubernetesJob ||
			e.IsDir() && (records.IsRun(below) || Has(below)) {
			return nil
		}
	}
	if records.IsRun(dir) {
		return fmt.Errorf("%s is a run, no folder of several: choose another --out", dir)
	}
	return records.CheckFolder(dir)
}

// MaxParts bounds the parts of a run. Schedulers take about a thousand jobs of one array.
const MaxParts = 100_000

// Parts are the folders below an output folder.
type Parts struct {
	Count   int
	Found   map[int]string // folders, by part from 1
	Missing []int          // parts without a folder, ascending
}

var partName = regexp.MustCompile(`^(\d{3,9})-of-(\d{3,9})$`)

// Has reports whether out holds folders of parts.
func Has(out string) bool {
	info, err := os.Stat(filepath.Join(out, shardsFolder))
	return err == nil && info.IsDir()
}

// Find lists the parts below out. Folders of two divisions are refused: their samples overlap.
func Find(out string) (Parts, error) {
	dir := filepath.Join(out, shardsFolder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Parts{}, fmt.Errorf("%s has no folder %s: name the --out of runs with --shard auto/N, or the folders of all "+
			"shards", out, shardsFolder)
	}
	if err != nil {
		return Parts{}, err
	}
	byCount := map[int]map[int]string{}
	for _, e := range entries {
		m := partName.FindStringSubmatch(e.Name())
		if m == nil || !e.IsDir() {
			continue
		}
		part, _ := strconv.Atoi(m[1])
		count, _ := strconv.Atoi(m[2])
		if part < 1 || part > count || count > MaxParts {
			continue
		}
		if byCount[count] == nil {
			byCount[count] = map[int]string{}
		}
		byCount[count][part] = filepath.Join(dir, e.Name())
	}
	switch len(byCount) {
	case 0:
		return Parts{}, fmt.Errorf("%s holds no part, such as %s", dir, filepath.Base(Folder(out, 1, 16)))
	case 1:
	default:
		return Parts{}, fmt.Errorf("%s holds parts of more than one division (%s), which overlap: delete those of all but "+
			"one", dir, divisions(byCount))
	}
	var p Parts
	for count, found := range byCount {
		p.Count, p.Found = count, found
	}
	for i := 1; i <= p.Count; i++ {
		if p.Found[i] == "" {
			p.Missing = append(p.Missing, i)
		}
	}
	return p, nil
}

// CheckCount refuses a part of another division than those that are below out: joined, their samples would overlap.
func CheckCount(out string, count int) error {
	if p, err := Find(out); err == nil && p.Count != count {
		return fmt.Errorf("%s holds parts of %d, and this is one of %d: go on with auto/%[2]d, or choose another --out",
			filepath.Join(out, shardsFolder), p.Count, count)
	}
	return nil
}

// divisions says how many parts of each count there are.
func divisions(byCount map[int]map[int]string) string {
	var words []string
	for _, count := range slices.Sorted(maps.Keys(byCount)) {
		words = append(words, fmt.Sprintf("%d of %d", len(byCount[count]), count))
	}
	return strings.Join(words, ", ")
}

// Array spells parts, counted from 1, as sbatch takes them for arrays that begin with 0: 0,2-4.
func Array(parts []int) string {
	parts = slices.Sorted(slices.Values(parts))
	var words []string
	for i := 0; i < len(parts); {
		j := i
		for j+1 < len(parts) && parts[j+1] == parts[j]+1 {
			j++
		}
		word := strconv.Itoa(parts[i] - 1)
		if j > i {
			word += "-" + strconv.Itoa(parts[j]-1)
		}
		words, i = append(words, word), j+1
	}
	return strings.Join(words, ",")
}
