package reports

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"ovbench/reports/draw"
	"ovbench/reports/pdf"
	"ovbench/reports/results"
)

// figureFiles is a format of one file per figure.
func figureFiles(
	ending string, spell func(*draw.Figure, []*results.Run) ([]byte, error),
) func(*view, string) ([]string, error) {
	return func(v *view, dir string) ([]string, error) {
		figures, err := figuresOf(v)
		if err != nil {
			return nil, err
		}
		drawn := make([]draw.Figure, len(figures))
		for i, f := range figures {
			drawn[i] = f.Figure
		}
		return writeFigures(drawn, dir, ending, func(f *draw.Figure) ([]byte, error) { return spell(f, v.runs) })
	}
}

// writeFigures writes a file for each figure, and returns their paths.
func writeFigures(figures []draw.Figure, dir, ending string, spell func(*draw.Figure) ([]byte, error)) ([]string,
	error) {
	var paths []string
	for _, f := range figures {
		whole := f.Alone()
		data, err := spell(&whole)
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, f.Name+ending)
		if err := results.WriteFile(path, data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// pictures is the format png: figures and panels.
func pictures(v *view, dir string) ([]string, error) {
	paths, err := figureFiles(".png", func(f *draw.Figure, _ []*results.Run) ([]byte, error) { return f.PNG() })(v, dir)
	if err != nil {
		return paths, err
	}
	taken := names{}
	for i, r := range v.runs {
		for _, d := range r.Datasets {
			sheets, err := panelsOf(r, d.Name)
			if err != nil {
				return paths, err
			}
			for j, sheet := range sheets {
				name := "panels-" + slug(d.Name)
				if len(v.runs) > 1 {
					name += fmt.Sprintf("-run%d", i+1)
				}
				if len(sheets) > 1 {
					name += fmt.Sprintf("-%d", j+1)
				}
				path := filepath.Join(dir, taken.take(name)+".png")
				if err := WritePNG(path, sheet); err != nil {
					return paths, err
				}
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

// panelPages is the format pdf-panels: the samples of a data set, side by side for all runs, as a page for a paper.
func panelPages(v *view, dir string) ([]string, error) {
	var paths []string
	taken := names{}
	d := &document{}
	d.panels(v)
	title := ""
	for _, b := range d.blocks {
		if h, ok := b.(heading); ok {
			title = h.text
		}
		set, ok := b.(panelBlock)
		if !ok {
			continue
		}
		var samples []*pdf.Sample
		for _, ref := range set.samples {
			s, err := shown(ref)
			if err != nil {
				return paths, err
			}
			samples = append(samples, s)
		}
		data, err := pdf.Samples(title, samples, dateOf(v.runs))
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, taken.take("panels-"+slug(title))+".pdf")
		if err := results.WriteFile(path, data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// dateOf is the date of a document: that of the environment variable SOURCE_DATE_EPOCH if it is set, else the end of
// the last run. It is not the time of writing, so that equal runs give equal bytes.
func dateOf(runs []*results.Run) time.Time {
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil && s >= 0 && s < 1<<36 {
		return time.Unix(s, 0).UTC()
	}
	date := time.Unix(0, 0).UTC()
	for _, r := range runs {
		if r.Finished.After(date) {
			date = r.Finished.UTC()
		}
	}
	return date
}

// WritePNG writes img at path, whole or not at all.
func WritePNG(path string, img image.Image) error {
	data, err := draw.EncodePNG(img)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return results.WriteFile(path, data)
}
