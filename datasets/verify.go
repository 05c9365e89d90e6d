package datasets

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/picture"
)

// A Fault is one kind of thing that is wrong with a data set, and where.
type Fault struct {
	Kind     FaultKind
	Count    int      // how many samples have it
	Examples []string // the first few, in order of samples: what and where
	Remedy   string
	Possible bool // it may be so, or all is well
}

// FaultKind says what is wrong.
type FaultKind string

// The kinds of faults, in the order Inspect reports them. Those from TrainIDs on are well-known mistakes, told by the
// label values of the data set as a whole.
const (
	WrongCount     FaultKind = "number of images"
	LeftOut        FaultKind = "pictures left out"
	DuplicateID    FaultKind = "duplicate id"
	DuplicateImage FaultKind = "duplicate picture"
	MissingImage   FaultKind = "missing image"
	MissingLabel   FaultKind = "missing label map"
	SizeMismatch   FaultKind = "sizes of image and label map"
	LabelValue     FaultKind = "label value"
	ColourLabels   FaultKind = "label maps stored as colours"
	Annotation     FaultKind = "annotation"
	Unreadable     FaultKind = "unreadable file"
	TrainIDs       FaultKind = "trainIds in place of labelIds"
	ReduceZero     FaultKind = "reduce_zero_label"
	OtherLabels    FaultKind = "label maps of another data set"
	OnlyBackground FaultKind = "nothing but background"
	BlankLabels    FaultKind = "blank label maps"
	FromOne        FaultKind = "labels from 1"
)

var faultKinds = []struct {
	kind   FaultKind
	remedy string
}{
	{WrongCount, "use the official split file, or report the subset by name"},
	{LeftOut, "get the pictures, or report how many are missing"},
	{DuplicateID, "remove the repeated ids from the split file"},
	{DuplicateImage, "restore the original files; if the originals are the same, report it"},
	{MissingImage, "unpack the picture archive completely"},
	{MissingLabel, "unpack the label archive completely; the split file may belong to another label folder"},
	{SizeMismatch, "restore the original files; neither pictures nor label maps may be resized or rotated"},
	{LabelValue, "restore the original label maps, or choose the data set whose label numbers these are"},
	{ColourLabels, "use the original label maps; a viewer, OpenCV or a drawing program saved these again as RGB"},
	{Annotation, "restore the original annotations"},
	{Unreadable, "restore the files"},
	{TrainIDs, "use the official *_labelIds.png, or the data set that reads trainIds; scored as they are, the mIoU " +
		"comes out near 0.004"},
	{ReduceZero, "choose the data set whose label 0 is what these files mean by 0"},
	{OtherLabels, "choose the data set whose label numbers these are"},
	{OnlyBackground, "use the label maps of classes; these may be masks of one class or empty"},
	{BlankLabels, "use another split: the truth of test splits is often not public, so that their label maps are " +
		"blank"},
	{FromOne, "say reduce_zero_label: true if stored 1 is the first class (data set folder), or number classes from 0"},
}

// pixelsAtOnce bounds the pictures that are read at the same time, however many processors there are: the largest ones two
// by two.
const pixelsAtOnce = 2 * files.MaxPixels

// maxExamples bounds Fault.Examples.
const maxExamples = 3

func (f Fault) Error() string {
	s := fmt.Sprintf("%s: %d", f.Kind, f.Count)
	for i, e := range f.Examples {
		if i > 0 {
			s += "; "
		} else {
			s += " ("
		}
		s += e
	}
	if n := f.Count - len(f.Examples); n > 0 && len(f.Examples) > 0 && !f.ofWhole() {
		s += fmt.Sprintf("; and %d more", n)
	}
	if len(f.Examples) > 0 {
		s += ")"
	}
	return s + "; " + f.Remedy
}

// ofWhole says that the example explains all of Count.
func (f Fault) ofWhole() bool {
	switch f.Kind {
	case WrongCount, TrainIDs, ReduceZero, OtherLabels, OnlyBackground, BlankLabels, FromOne:
		return true
	}
	return false
}

// Warning says that a measurement of what there is can still be right: the pictures are fewer than usual, or repeated,
// or nothing is wrong at all.
func (f Fault) Warning() bool {
	return f.Possible || f.Kind == WrongCount || f.Kind == LeftOut || f.Kind == DuplicateImage
}

// Incomplete is a Dataset that leaves out listed pictures which are not on disk, where it is usual that many are not.
type Incomplete interface {
	Missing() []string // what is left out, in the order of the list
}

// InspectOptions say how to look. The zero value is ready.
type InspectOptions struct {
	Report     func(done, total int) // called from one goroutine at a time with the looks taken and to take; may be nil
	Duplicates bool                  // also find pictures whose pixels are the same
}

// Inspection is what looking at every sample found. Counts are of samples that could be read.
type Inspection struct {
	Faults  []Fault // one per kind; none means sound
	Samples int     // read
	Images  []int   // by class: samples that have it, by label map, tag or object
	Pixels  []int64 // by class: pixels with its label; all 0 without label maps
	Ignored int64   // pixels that no metric counts
	Strays  []Stray // stored label values that the data set does not have, ascending
}

// Stray counts a stored label value that must not occur. Samples that have one are not in other counts.
type Stray struct {
	Value   uint16
	Pixels  int64
	Samples int
}

// Inspect looks at every sample of ds, in parallel.
//
// It first looks at files and headers of a [Located] data set, then reads the samples whose headers are right.
// Inspect ends early when ctx does: check ctx.Err().
func Inspect(ctx context.Context, ds Dataset, o InspectOptions) Inspection {
	v := &verification{ds: ds, info: ds.Info(), problems: make([]problem, ds.Len()), report: o.Report, total: ds.Len(),
		pixels: make([]int64, ds.Len()), budget: semaphore.NewWeighted(pixelsAtOnce)}
	v.tally = NewDiagnosis(ds)
	if o.Duplicates {
		v.digests = make([][sha256.Size]byte, ds.Len())
	}
	located, hasFiles := ds.(Located)
	if hasFiles {
		v.total *= 2
		v.each(ctx, func(i int) problem { return v.header(i, located) })
	}
	v.each(ctx, func(i int) problem {
		if err := v.budget.Acquire(ctx, v.pixels[i]); err != nil {
			return problem{}
		}
		defer v.budget.Release(v.pixels[i])
		return v.read(i)
	})
	out := v.tally.inspection()
	out.Faults = v.faults()
	return out
}

// A problem is the first thing wrong with one sample; the zero value is none.
type problem struct {
	kind FaultKind
	text string
}

type verification struct {
	ds       Dataset
	info     Info
	problems []problem           // by sample
	pixels   []int64             // of pictures whose header was read, by sample
	budget   *semaphore.Weighted // of pixels that are read at the same time
	digests  [][sha256.Size]byte // of pixels, by sample; nil if not wanted
	tally    *Diagnosis
	report   func(done, total int)
	mu       sync.Mutex // report, done
	done     int
	total    int
}

// each looks at all samples without a problem so far, in parallel.
func (v *verification) each(ctx context.Context, look func(i int) problem) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(v.problems)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(v.problems) {
					return
				}
				if v.problems[i].kind == "" {
					v.problems[i] = look(i)
				}
				v.advance()
			}
		})
	}
	workers.Wait()
}

func (v *verification) advance() {
	if v.report == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done++
	v.report(v.done, v.total)
}

// read reads a sample, counts its classes and looks at its annotations.
func (v *verification) read(i int) problem {
	s, err := v.ds.At(i)
	if err != nil {
		v.tally.Fail(err)
		return readProblem(err)
	}
	if text := annotationFault(s, len(v.info.Classes)); text != "" {
		return problem{Annotation, s.ID + ": " + text}
	}
	v.tally.Add(i, s)
	if v.digests != nil {
		h := sha256.New()
		fmt.Fprintf(h, "%v\n", s.Image.Rect)
		h.Write(s.Image.Pix)
		h.Sum(v.digests[i][:0])
	}
	return problem{}
}

// faultList groups faults by kind.
type faultList map[FaultKind]*Fault

func (l faultList) add(kind FaultKind, count int, example string) {
	f := l[kind]
	if f == nil {
		f = &Fault{Kind: kind}
		l[kind] = f
	}
	f.Count += count
	if len(f.Examples) < maxExamples {
		f.Examples = append(f.Examples, example)
	}
}

// faults groups the problems by kind and adds what concerns the list as a whole.
func (v *verification) faults() []Fault {
	list := make(faultList)
	if n := v.ds.Len(); v.info.Official > 0 && n != v.info.Official {
		list.add(WrongCount, n, fmt.Sprintf("the official split %q has %d", v.info.Split, v.info.Official))
	}
	if d, ok := v.ds.(Incomplete); ok {
		for _, what := range d.Missing() {
			list.add(LeftOut, 1, what)
		}
	}
	seen := make(map[string]bool)
	pictures := make(map[[sha256.Size]byte]string)
	for i, p := range v.problems {
		id := v.ds.ID(i)
		if seen[id] {
			list.add(DuplicateID, 1, id)
		}
		seen[id] = true
		if p.kind != "" {
			list.add(p.kind, 1, p.text)
		} else if v.digests != nil {
			if first, ok := pictures[v.digests[i]]; ok {
				list.add(DuplicateImage, 1, id+" is "+first)
			} else {
				pictures[v.digests[i]] = id
			}
		}
	}
	v.tally.diagnose(list, v.ds.Len())
	return list.sorted()
}

// maybe is add of what may be so, beside nothing of the kind that is so.
func (l faultList) maybe(kind FaultKind, count int, example string) {
	if l[kind] == nil {
		l.add(kind, count, example)
		l[kind].Possible = true
	}
}

// sorted are the faults in the order of faultKinds, with their remedies.
func (l faultList) sorted() (out []Fault) {
	for _, k := range faultKinds {
		if f := l[k.kind]; f != nil {
			f.Remedy = k.remedy
			if f.Possible {
				f.Remedy += "; or do nothing, if the pictures are like that"
			}
			out = append(out, *f)
		}
	}
	return out
}

// header compares the headers of a picture and its label map, if that is a file.
func (v *verification) header(i int, located Located) problem {
	imagePath, labelPath := located.Files(i)
	orientation := picture.AsStored
	if d, ok := v.ds.(interface{ oriented() picture.Orientation }); ok {
		orientation = d.oriented()
	}
	w, h, err := picture.Size(imagePath, orientation)
	if errors.Is(err, os.ErrNotExist) {
		return problem{MissingImage, imagePath}
	}
	if err != nil {
		return readProblem(err)
	}
	v.pixels[i] = int64(w) * int64(h)
	if labelPath == "" {
		return problem{}
	}
	if !exists(labelPath) {
		return problem{MissingLabel, labelPath}
	}
	if ext := filepath.Ext(labelPath); ext == ".mat" || ext == ".json" {
		return problem{} // without a header to look at; reading the sample compares sizes
	}
	labelW, labelH, err := picture.Size(labelPath, picture.AsStored)
	if err != nil {
		return readProblem(err)
	}
	return readProblem(checkSizes(imagePath, labelPath, image.Pt(w, h), image.Pt(labelW, labelH)))
}

func readProblem(err error) problem {
	switch {
	case err == nil:
		return problem{}
	case errors.Is(err, ErrSize):
		return problem{SizeMismatch, err.Error()}
	case errors.Is(err, labelmap.ErrValue):
		return problem{LabelValue, err.Error()}
	case errors.Is(err, labelmap.ErrColours):
		return problem{ColourLabels, err.Error()}
	}
	return problem{Unreadable, err.Error()}
}

// annotationFault says what is wrong with the tags and objects of a sample, "" if nothing is.
func annotationFault(s Sample, classes int) string {
	if s.Tags != nil && len(s.Tags) != classes {
		return fmt.Sprintf("%d tags for %d classes", len(s.Tags), classes)
	}
	for i, p := range s.Points {
		if p.Class < 0 || p.Class >= classes || !(p.X >= 0 && p.X <= 1 && p.Y >= 0 && p.Y <= 1) {
			return fmt.Sprintf("point %d is of class %d, with %d classes, at %g, %g of the picture", i+1, p.Class,
				classes, p.X, p.Y)
		}
	}
	w, h := float64(s.Image.Rect.Dx()), float64(s.Image.Rect.Dy())
	for i, o := range s.Objects {
		switch {
		case o.Class < 0 || o.Class >= classes:
			return fmt.Sprintf("object %d is of class %d, with %d classes", i+1, o.Class, classes)
		case !(0 <= o.X0 && o.X0 <= o.X1 && o.X1 <= w && 0 <= o.Y0 && o.Y0 <= o.Y1 && o.Y1 <= h):
			return fmt.Sprintf("object %d has the box %g,%g,%g,%g in a picture of %gx%g", i+1, o.X0, o.Y0, o.X1, o.Y1,
				w, h)
		}
	}
	return ""
}
