package datasets

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ovbench/datasets/files"
)

// The points of Open Images V7: Benenson and Ferrari, "From Colouring-in to Pointillism: Revisiting Semantic
// Segmentation Supervision", arXiv 2210.14142. For a label that a picture may show, people said of single points
// whether they are on it: yes, no or unsure, of which the last does not count. LeGrad and GEM measure on the validation
// split.

const (
	openImagesHomepage = "https://storage.googleapis.com/openimages/web/download_v7.html (point labels and class " +
		"descriptions; pictures " +
		"of the validation split)"
	openImagesLayout = `openimages/
  oidv7-val-annotations-point-labels.csv (ImageId, X, Y, Label, EstimatedYesNo; test and train alike)
  oidv7-class-descriptions.csv (LabelName, DisplayName; optional where the points have TextLabel)
  validation/<ImageId>.jpg, or images/validation, or images`
)

// openImagesSplits are the names of splits with what files and folders call them.
var openImagesSplits = map[string]string{"validation": "val", "test": "test", "train": "train"}

// openImagesBytes bounds the file of points; that of the training split has 4 GB.
const openImagesBytes = 8 << 30

// Point is a place that people judged: x, y in 0..1 of width and height, and whether it is on the class.
type Point struct {
	Class int
	X, Y  float64
	On    bool
}

// openImages adds to its pictures those that are not on disk, and the words of its labels.
type openImages struct {
	*ownWords
	missing []string
}

// Missing lists the pictures with points that are left out because they are not on disk.
func (d *openImages) Missing() []string { return slices.Clone(d.missing) }

func openOpenImages(o Options) (Dataset, error) {
	if o.Split == "val" {
		o.Split = "validation"
	}
	info := Info{Name: "openimages_points", Title: "Open Images V7, judged points", Homepage: openImagesHomepage,
		Layout: openImagesLayout}
	if err := o.begin(&info, "validation", "the CSV file of points"); err != nil {
		return nil, err
	}
	short, ok := openImagesSplits[o.Split]
	if !ok {
		return nil, fmt.Errorf("split %q is not known; splits are validation, test and train", o.Split)
	}
	dirs := candidates(o.Root, "openimages", "OpenImages", "open-images-v7", "openimages_v7")
	file := "oidv7-" + short + "-annotations-point-labels.csv"
	if info.Root = firstWith(dirs, file); info.Root == "" {
		return nil, fmt.Errorf("%s is in none of %s\n%s", file, strings.Join(dirs, ", "), info.help())
	}
	pictures := dirWith(info.Root, o.Split, short, "images/"+o.Split, "images/"+short, "images")
	if pictures == "" {
		return nil, fmt.Errorf("no folder %s of pictures in %s\n%s", o.Split, info.Root, info.help())
	}
	found, err := filesIn(pictures, ".jpg", ".jpeg")
	if err != nil {
		return nil, err
	}
	points, err := readOpenImages(filepath.Join(info.Root, file), found)
	if err != nil {
		return nil, err
	}
	if len(points.ids) == 0 {
		return nil, fmt.Errorf("none of the %d pictures with points is in %s\n%s", len(points.missing), pictures,
			info.help())
	}
	if info.Classes, err = points.names(filepath.Join(info.Root, "oidv7-class-descriptions.csv")); err != nil {
		return nil, err
	}
	info.Notes = []string{fmt.Sprintf("%d points of %d labels; %d that people were unsure of do not count", points.n,
		len(info.Classes), points.unsure)}
	if n := len(points.missing); n > 0 {
		info.Notes = append(info.Notes, fmt.Sprintf("%d of %d pictures with points are not on disk and are left out", n,
			n+len(points.ids)))
	}
	d := newOnDisk(o, info, points.ids)
	d.files = func(i int) (string, string) { return filepath.Join(pictures, found[points.ids[i]]), "" }
	d.truth = func(i int, s *Sample) error {
		s.Points = slices.Clone(points.of[points.ids[i]])
		return nil
	}
	return &openImages{&ownWords{d}, points.missing}, nil
}

// openImagesPoints are the points of the pictures there are.
type openImagesPoints struct {
	ids, missing []string // alphabetical
	of           map[string][]Point
	labels       []string       // of classes: /m/01xc8d
	class        map[string]int // by label
	texts        []string       // of classes, as the points have them
	n, unsure    int
}

// readOpenImages reads the points whose pictures are there. Labels are numbered in alphabetical order.
func readOpenImages(name string, pictures map[string]string) (*openImagesPoints, error) {
	f, err := files.OpenBounded(name, openImagesBytes)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &openImagesPoints{of: make(map[string][]Point), class: make(map[string]int)}
	if err := p.read(f, pictures); err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	p.order()
	return p, nil
}

// read takes up the rows of a file. Errors begin with the line.
func (p *openImagesPoints) read(from io.Reader, pictures map[string]string) error {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("1: no header: %w", err)
	}
	var at [6]int
	for i, want := range []string{"imageid", "x", "y", "label", "estimatedyesno", "textlabel"} {
		at[i] = slices.IndexFunc(header,
			func(h string) bool { return strings.ToLower(strings.Trim(h, "\ufeff \"")) == want })
		if at[i] < 0 && want != "textlabel" {
			return fmt.Errorf("1: columns %q, want ImageId, X, Y, Label and EstimatedYesNo", header)
		}
	}
	missing := make(map[string]bool)
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if syntax := new(csv.ParseError); errors.As(err, &syntax) {
			return fmt.Errorf("%d: %w", syntax.Line, syntax.Err)
		}
		if err != nil {
			return fmt.Errorf(" %w", err)
		}
		if id := row[at[0]]; pictures[id] == "" {
			missing[strings.Clone(id)] = true
			continue
		}
		if err := p.add(row, at); err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%d: %w", line, err)
		}
	}
	for id := range missing {
		p.missing = append(p.missing, id)
	}
	slices.Sort(p.missing)
	return nil
}

// add takes up a row, whose columns lie at the places of at.
func (p *openImagesPoints) add(row []string, at [6]int) error {
	var xy [2]float64
	for k, i := range at[1:3] {
		v, err := strconv.ParseFloat(row[i], 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return fmt.Errorf("%q is no place in 0..1 of a picture", row[i])
		}
		xy[k] = v
	}
	on := false
	switch strings.ToLower(row[at[4]]) {
	case "yes":
		on = true
	case "no":
	case "unsure":
		p.unsure++
		return nil
	default:
		return fmt.Errorf("%q, want yes, no or unsure", row[at[4]])
	}
	label := row[at[3]]
	class, ok := p.class[label]
	if !ok {
		if len(p.labels) == math.MaxUint16 {
			return fmt.Errorf("more than %d labels", math.MaxUint16)
		}
		class = len(p.labels)
		label = strings.Clone(label)
		p.class[label] = class
		p.labels, p.texts = append(p.labels, label), append(p.texts, "")
	}
	if at[5] >= 0 && p.texts[class] == "" {
		p.texts[class] = strings.Clone(strings.TrimSpace(row[at[5]]))
	}
	id := row[at[0]]
	if p.of[id] == nil {
		id = strings.Clone(id)
		p.ids = append(p.ids, id)
	}
	p.of[id] = append(p.of[id], Point{class, xy[0], xy[1], on})
	p.n++
	return nil
}

// order sorts pictures and numbers labels alphabetically, so that neither depends on the order of rows.
func (p *openImagesPoints) order() {
	slices.Sort(p.ids)
	old := p.class
	labels, texts := slices.Sorted(slices.Values(p.labels)), make([]string, len(p.texts))
	number := make([]int, len(labels))
	p.class = make(map[string]int, len(labels))
	for i, label := range labels {
		number[old[label]], texts[i], p.class[label] = i, p.texts[old[label]], i
	}
	p.labels, p.texts = labels, texts
	for _, points := range p.of {
		for i := range points {
			points[i].Class = number[points[i].Class]
		}
	}
}

// names are the words of labels, by the file of descriptions, else by the points themselves. Two of one name get their
// labels too.
func (p *openImagesPoints) names(descriptions string) ([]string, error) {
	names := slices.Clone(p.texts)
	if exists(descriptions) {
		lines, err := files.Lines(descriptions)
		if err != nil {
			return nil, err
		}
		for i, line := range lines {
			label, name, ok := strings.Cut(line, ",")
			if class, wanted := p.class[label]; ok && wanted {
				if names[class] = strings.Trim(name, `" `); names[class] == "" {
					return nil, fmt.Errorf("%s:%d: no name of %s", descriptions, i+1, label)
				}
			}
		}
	}
	used := make(map[string]int)
	for _, name := range names {
		used[name]++
	}
	for i, name := range names {
		if name == "" {
			return nil, fmt.Errorf("label %s has no name: want %s, or TextLabel in the file of points", p.labels[i],
				descriptions)
		}
		if used[name] > 1 {
			names[i] = name + " (" + p.labels[i] + ")"
		}
	}
	return names, nil
}
