// Package reports answers: what does one read?
//
// It turns one or more [results.Run] into documents and pictures, and knows nothing else: no model, no data set, no
// metric. The way of a number is
//
//  1. a view puts the runs' cells in rows (methods) and columns (data sets),
//  2. tables make texts of them, and round there and only there,
//  3. figures choose what is drawn (figures.go lists the kinds), and package draw draws it on whatever canvas there is,
//  4. Markdown, the terminal, LaTeX, CSV, JSON and benchstat spell tables; HTML and PDF (package pdf) spell a document
//     of tables, figures and samples (document.go has its order).
//
// [Report] does all of that for one format, with the samples that a [Choice] left. What papers claim for the same
// data sets and backbone ([Published], published/*.yaml) stands in a table apart. A [Comparison] writes itself. Names
// and texts in a run are foreign: package plain makes them harmless, every format escapes them, and paths are opened
// inside of the run folder only.
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

	"ovbench/reports/draw"
	"ovbench/reports/pdf"
	"ovbench/reports/results"
)

// formats are what Report knows, by name: functions that write files into a folder and return their paths.
var formats = map[string]func(v *view, dir string) ([]string, error){
	"md":   textFiles(textFile{"report.md", writeMarkdown}),
	"json": textFiles(textFile{"report.json", writeJSON}),
	"csv": textFiles(textFile{"scores.csv", writeCSV}, textFile{"classes.csv", writeClassCSV},
		textFile{"summary.csv", writeSummaryCSV}, textFile{"published.csv", writePublishedCSV}),
	"png":  pictures,
	"svg":  figureFiles(".svg", func(f *draw.Figure, _ []*results.Run) ([]byte, error) { return f.SVG(), nil }),
	"html": textFiles(textFile{"report.html", writeHTML}),
	"pdf":  textFiles(textFile{"report.pdf", writePDF}),
	"pdf-figures": figureFiles(".pdf",
		func(f *draw.Figure, runs []*results.Run) ([]byte, error) { return pdf.Figure(f, dateOf(runs)) }),
	"pdf-panels": panelPages,
	"latex":      latexFiles,
	"benchstat":  textFiles(textFile{"scores.bench", writeBenchstat}),
}

// Formats are the formats that [Report] knows.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// Report writes runs (at least one) in a format into the folder outDir, which is
// made if it is missing, and returns the files it wrote. Formats: md (report.md),
// html (report.html), pdf (report.pdf), latex (the tables), csv (scores.csv,
// classes.csv, summary.csv, published.csv), json (report.json), benchstat (scores.bench), png (the
// figures there is something for, scores.png first, and panels-DATASET.png), svg and
// pdf-figures (the figures alone, one a file).
func Report(runs []*results.Run, l Layout, format, outDir string) ([]string, error) {
	write, ok := formats[format]
	if !ok {
		return nil, fmt.Errorf("format %q is not known; use %s", format, strings.Join(Formats(), ", "))
	}
	v, err := laidOut(runs, &l)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(outDir, 0o777); err != nil {
		return nil, err
	}
	return write(v, outDir)
}

// laidOut is the view of runs that a reader wants.
func laidOut(runs []*results.Run, l *Layout) (*view, error) {
	if len(runs) == 0 {
		return nil, fmt.Errorf("no runs to report; name at least one run folder")
	}
	runs, err := l.choose(runs)
	if err != nil {
		return nil, err
	}
	return newView(runs, l), nil
}

type textFile struct {
	name  string
	write func(io.Writer, *view) error
}

// textFiles is a format of text files.
func textFiles(files ...textFile) func(*view, string) ([]string, error) {
	return func(v *view, dir string) ([]string, error) {
		var paths []string
		for _, f := range files {
			var b bytes.Buffer
			if err := f.write(&b, v); err != nil {
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
