package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Fault is one kind of thing that is wrong with a data set, and where.
type Fault struct {
	Kind     FaultKind
	Count    int      // how many samples have it
	Examples []string // the first few, in order of samples: what and where
	Remedy   string
}

// FaultKind says what is wrong.
type FaultKind string

// The kinds of faults, in the order Verify reports them.
const (
	WrongCount   FaultKind = "number of images"
	DuplicateID  FaultKind = "duplicate id"
	MissingImage FaultKind = "missing image"
	MissingLabel FaultKind = "missing label map"
	SizeMismatch FaultKind = "sizes of image and label map"
	LabelValue   FaultKind = "label value"
	Unreadable   FaultKind = "unreadable file"
)

var faultKinds = []struct {
	kind   FaultKind
	remedy string
}{
	{WrongCount, "use the official split file, or report the subset by name"},
	{DuplicateID, "remove the repeated ids from the split file"},
	{MissingImage, "unpack the picture archive completely"},
	{MissingLabel, "unpack the label archive completely; the split file may belong to another label folder"},
	{SizeMismatch, "restore the original files; neither pictures nor label maps may be resized or rotated"},
	{LabelValue, "restore the original label maps, or choose the data set whose label numbers these are"},
	{Unreadable, "download the file again"},
}

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
	if n := f.Count - len(f.Examples); n > 0 && len(f.Examples) > 0 && f.Kind != WrongCount {
		s += fmt.Sprintf("; and %d more", n)
	}
	if len(f.Examples) > 0 {
		s += ")"
	}
	return s + "; " + f.Remedy
}

// Verify looks at every sample of ds and reports all faults, one per kind; none means sound.
//
// It first looks at files and headers of a [Located] data set, then reads the samples whose
// headers are right. report, which may be nil, is called from one goroutine at a time with the
// number of looks taken and to take. Verify ends early when ctx does: check ctx.Err().
func Verify(ctx context.Context, ds Dataset, report func(done, total int)) []Fault {
	v := &verification{ds: ds, problems: make([]problem, ds.Len()), report: report, total: ds.Len()}
	located, hasFiles := ds.(Located)
	if hasFiles {
		v.total *= 2
		v.each(ctx, func(i int) problem { return headerProblem(located.Files(i)) })
	}
	v.each(ctx, func(i int) problem {
		_, err := ds.At(i)
		return readProblem(err)
	})
	return v.faults()
}

// A problem is the first thing wrong with one sample; the zero value is none.
type problem struct {
	kind FaultKind
	text string
}

type verification struct {
	ds       Dataset
	problems []problem // by sample
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

// faults groups the problems by kind and adds what concerns the list as a whole.
func (v *verification) faults() []Fault {
	byKind := make(map[FaultKind]*Fault)
	add := func(kind FaultKind, count int, example string) {
		f := byKind[kind]
		if f == nil {
			f = &Fault{Kind: kind}
			byKind[kind] = f
		}
		f.Count += count
		if len(f.Examples) < maxExamples {
			f.Examples = append(f.Examples, example)
		}
	}
	info := v.ds.Info()
	if n := v.ds.Len(); info.Official > 0 && n != info.Official {
		add(WrongCount, n, fmt.Sprintf("the official split %q has %d", info.Split, info.Official))
	}
	seen := make(map[string]bool)
	for i, p := range v.problems {
		id := v.ds.ID(i)
		if seen[id] {
			add(DuplicateID, 1, id)
		}
		seen[id] = true
		if p.kind != "" {
			add(p.kind, 1, p.text)
		}
	}
	var out []Fault
	for _, k := range faultKinds {
		if f := byKind[k.kind]; f != nil {
			f.Remedy = k.remedy
			out = append(out, *f)
		}
	}
	return out
}

// headerProblem compares the headers of a picture and its label map; labelPath may be empty.
func headerProblem(imagePath, labelPath string) problem {
	w, h, err := ImageSize(imagePath)
	if errors.Is(err, os.ErrNotExist) {
		return problem{MissingImage, imagePath}
	}
	if err != nil {
		return readProblem(err)
	}
	if labelPath == "" {
		return problem{}
	}
	labelW, labelH, err := ImageSize(labelPath)
	if errors.Is(err, os.ErrNotExist) {
		return problem{MissingLabel, labelPath}
	}
	if err != nil {
		return readProblem(err)
	}
	return readProblem(checkSizes(imagePath, labelPath, w, h, labelW, labelH))
}

func readProblem(err error) problem {
	switch {
	case err == nil:
		return problem{}
	case errors.Is(err, ErrSize):
		return problem{SizeMismatch, err.Error()}
	case errors.Is(err, ErrLabelValue):
		return problem{LabelValue, err.Error()}
	}
	return problem{Unreadable, err.Error()}
}
