package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// writeBenchstat writes every score of runs in the Go benchmark format, in percent and full precision, for benchstat:
// one line for each data set, method and score, with the number of images where benchmarks have iterations. Runs
// differ in their configuration lines, so that benchstat puts runs of unlike models and protocols into tables of
// their own.
//
//	suite: voc21
//	protocol: sclip 9e107d9d372b
//	Unit mIoU% better=higher
//	BenchmarkScore/dataset=voc21/method=clip/convention=mmseg/task=segmentation 1449 41.27 mIoU%
func writeBenchstat(w io.Writer, v *view) error {
	var b strings.Builder
	for _, unit := range unitsOf(v.runs) {
		better := "higher"
		if lowIsGood(strings.TrimSuffix(unit, "%")) {
			better = "lower"
		}
		fmt.Fprintf(&b, "Unit %s better=%s\n", unit, better)
	}
	for _, r := range v.runs {
		for _, line := range [][2]string{
			{"suite", r.Suite.Name}, {"model", r.Model.Name}, {"backbone", r.Model.Architecture}, {"protocol",
				protocolName(r)},
			{"ovbench", r.Tool.Version}, {"cpu", r.Host.CPU},
		} {
			fmt.Fprintf(&b, "%s: %s\n", line[0], plain.Line(line[1])) // an empty value ends that of the run before
		}
		for i := range r.Cells {
			c := &r.Cells[i]
			for _, s := range c.Scores {
				// The last part is not a name from outside: a number after a hyphen would be taken for the number of
				// processors.
				fmt.Fprintf(&b, "BenchmarkScore/dataset=%s/method=%s/convention=%s/task=%s %d %s %s\n",
					benchName(c.Dataset), benchName(c.Method),
					benchName(c.Convention), benchName(c.Task), max(1, c.Images), strconv.FormatFloat(100*s.Value,
						'g', -1, 64), unitOf(s.Name))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// unitsOf are the units of all scores, in the order of their appearance.
func unitsOf(runs []*results.Run) []string {
	var out []string
	for _, r := range runs {
		for _, c := range r.Cells {
			for _, s := range c.Scores {
				if u := unitOf(s.Name); !slices.Contains(out, u) {
					out = append(out, u)
				}
			}
		}
	}
	return out
}

func unitOf(score string) string { return benchName(score) + "%" }

// benchName is s as a part of a benchmark's name: no spaces, no slashes, nothing unprintable.
func benchName(s string) string {
	return cmp.Or(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '/' || r == '=' || !unicode.IsPrint(r) || r == utf8.RuneError {
			return '_'
		}
		return r
	}, s), "none")
}
