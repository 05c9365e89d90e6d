package records

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ovbench/reports/results"
)

// Planned are the samples that a run was to measure over all shards, by data set, ascending.
func Planned(run *results.Run) (map[string][]int, error) {
	out := map[string][]int{}
	for _, d := range run.Datasets {
		indices, err := ParseRanges(d.Samples)
		if err != nil {
			return nil, fmt.Errorf("samples of %s: %w", d.Name, err)
		}
		slices.Sort(indices)
		out[d.Name] = indices
	}
	return out, nil
}

// Ranges writes ascending numbers as "0-3,5".
func Ranges(xs []int) string {
	var parts []string
	for i := 0; i < len(xs); i++ {
		first := i
		for i+1 < len(xs) && xs[i+1] == xs[i]+1 {
			i++
		}
		if i == first {
			parts = append(parts, strconv.Itoa(xs[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", xs[first], xs[i]))
		}
	}
	return strings.Join(parts, ",")
}

// maxSamples bounds what ParseRanges makes of a file from elsewhere.
const maxSamples = 10_000_000

// ParseRanges reads what [Ranges] writes.
func ParseRanges(s string) ([]int, error) {
	var out []int
	if s == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a || b-a >= maxSamples-len(out) {
			return nil, fmt.Errorf("range %q is not understood", part)
		}
		for i := a; i <= b; i++ {
			out = append(out, i)
		}
	}
	return out, nil
}
