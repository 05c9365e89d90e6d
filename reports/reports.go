// Package reports answers: what does one read?
//
// It turns one or more [results.Run] into documents and pictures, and knows
// nothing else: no model, no data set, no metric. The way of a number is
//
//  1. a view puts the runs' cells in rows (methods) and columns (data sets),
//  2. tables make texts of them, and round there and only there,
//  3. Markdown, Terminal, CSV and JSON spell tables; Bars and Panels draw.
//
// [Report] does all of that for one format. [Overlay] and [Points] are pictures
// of a single image that need no run. Names and texts in a run are foreign: every
// format escapes them, and paths are opened inside of the run folder only.
package reports

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/reports/results"
)

// formats are what Report knows, by name: functions that write files into a folder and return their paths.
var formats = map[string]func(runs []*results.Run, dir string) ([]string, error){
	"md":        textFiles(textFile{"report.md", Markdown}),
	"json":      textFiles(textFile{"report.json", JSON}),
	"csv":       textFiles(textFile{"scores.csv", CSV}, textFile{"classes.csv", ClassCSV}, textFile{"summary.csv", SummaryCSV}),
	"benchstat": textFiles(textFile{"scores.bench", Benchstat}),
	"png":       pictures,
	"latex":     latexFiles,
}

// Formats are the formats that [Report] knows.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// Report writes runs (at least one) in a format into the folder outDir, which is
// made if it is missing, and returns the files it wrote. Formats: md (report.md),
// csv (scores.csv, classes.csv), json (report.json), png (scores.png and
// panels-DATASET.png, those that there is something for).
func Report(runs []*results.Run, format, outDir string) ([]string, error) {
	write, ok := formats[format]
	switch {
	case format == "html" || format == "pdf":
		return nil, fmt.Errorf("format %q is not available in this version; use %s", format, strings.Join(Formats(), ", "))
	case !ok:
		return nil, fmt.Errorf("format %q is not known; use %s", format, strings.Join(Formats(), ", "))
	}
	if err := some(runs); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(outDir, 0o777); err != nil {
		return nil, err
	}
	return write(runs, outDir)
}

type textFile struct {
	name  string
	write func(io.Writer, []*results.Run) error
}

// textFiles is a format of text files.
func textFiles(files ...textFile) func([]*results.Run, string) ([]string, error) {
	return func(runs []*results.Run, dir string) ([]string, error) {
		var paths []string
		for _, f := range files {
			var b bytes.Buffer
			if err := f.write(&b, runs); err != nil {
				return paths, err
			}
			path := filepath.Join(dir, f.name)
			if err := results.WriteFile(path, b.Bytes()); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
		return paths, nil
	}
}

// pictures is the format png.
func pictures(runs []*results.Run, dir string) ([]string, error) {
	var paths []string
	taken := map[string]bool{}
	chart, err := Bars(runs)
	if err != nil {
		return nil, err
	}
	if chart != nil {
		path := filepath.Join(dir, "scores.png")
		if err := WritePNG(path, chart); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	for i, r := range runs {
		for _, d := range r.Datasets {
			sheets, err := Panels(r, d.Name)
			if err != nil {
				return paths, err
			}
			for j, sheet := range sheets {
				name := "panels-" + slug(d.Name)
				if len(runs) > 1 {
					name += fmt.Sprintf("-run%d", i+1)
				}
				if len(sheets) > 1 {
					name += fmt.Sprintf("-%d", j+1)
				}
				for taken[strings.ToLower(name)] {
					name += "-"
				}
				taken[strings.ToLower(name)] = true
				path := filepath.Join(dir, name+".png")
				if err := WritePNG(path, sheet); err != nil {
					return paths, err
				}
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}
