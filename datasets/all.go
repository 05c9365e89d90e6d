package datasets

import (
	"fmt"
	"strings"
)

// Entry is one data set that [Open] knows.
type Entry struct {
	Name, Title string
	Classes     int
	Open        func(Options) (Dataset, error)
}

// All lists every data set, in the order people read them.
var All = []Entry{
	{"voc21", "PASCAL VOC 2012 with background", 21, openVOC21},
	{"voc20", "PASCAL VOC 2012 without background", 20, openVOC20},
}

// Open opens a data set of [All] by name. It reads lists, not pictures.
func Open(name string, o Options) (Dataset, error) {
	e, err := find(name)
	if err != nil {
		return nil, err
	}
	ds, err := e.Open(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return ds, nil
}

func find(name string) (Entry, error) {
	names := make([]string, len(All))
	for i, e := range All {
		if e.Name == name {
			return e, nil
		}
		names[i] = e.Name
	}
	return Entry{}, fmt.Errorf("data set %q is not known%s (known: %s)", name, didYouMean(name, names), strings.Join(names, ", "))
}

// didYouMean is "; did you mean …?" if a known name is within a third of its letters, else "".
func didYouMean(name string, known []string) string {
	best, least := "", len(name)
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), k); d < least && d <= (len(k)+1)/3 {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// editDistance is Levenshtein's: the insertions, deletions and substitutions between a and b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
