package engine

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/bench/predictions"
	"ovbench/datasets/labelmap"
	"ovbench/runners"
	"ovbench/runners/files"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// readsRegions reports whether some method reads masks of regions.
func (p *Plan) readsRegions() bool {
	return slices.ContainsFunc(p.methods,
		func(n runners.Named) bool { return n.Method != nil && n.Method.Traits().Regions })
}

// checkRegions says which masks of regions are missing, before work, and hashes those that are there.
func (p *Plan) checkRegions() error {
	if !p.readsRegions() {
		return nil
	}
	for i := range p.targets {
		t, d := &p.targets[i], p.suite.Datasets[i]
		at := fmt.Sprintf("datasets[%d].regions", i)
		if d.Regions == "" {
			return p.suite.Fault(at, "%s: a method reads masks of regions made elsewhere: name the folder that has one for "+
				"every picture, as .png, .npy or .npz (regions: FOLDER), or leave them out (corrclip:regions=false)", d.Label())
		}
		if err := t.findRegions(p.suite.Path(d.Regions)); err != nil {
			return p.suite.Fault(at, "%v", err)
		}
	}
	return nil
}

// findRegions finds and hashes the masks of all samples of the plan.
func (t *target) findRegions(folder string) error {
	found, err := predictions.List(folder, predictions.PNG, predictions.NPY, predictions.NPZ)
	if err != nil {
		return err
	}
	w := predictions.Wanted{Dataset: t.Info.Name, Extension: predictions.PNG}
	for _, index := range t.all {
		w.IDs = append(w.IDs, t.Dataset.ID(index))
	}
	match, err := found.Match(w)
	if err != nil {
		return err
	}
	if match.Missing > 0 {
		return fmt.Errorf("%s has no masks of regions for %d of %d pictures: %s is not there as .png, .npy or .npz", folder,
			match.Missing, len(t.all), w.IDs[slices.Index(match.Paths, "")])
	}
	h := sha256.New()
	t.regions, t.regionFiles = folder, map[int]string{}
	for i, file := range match.Paths {
		fmt.Fprintln(h, w.IDs[i])
		if err := copyTo(h, file); err != nil {
			return err
		}
		t.regionFiles[t.all[i]] = file
	}
	t.regionsHash = hex.EncodeToString(h.Sum(nil))
	return nil
}

func copyTo(w io.Writer, file string) error {
	f, err := files.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// readRegions reads masks of regions: the numbers of a label map, or those of an array [H, W], which an .npz holds as
// instance_mask or alone. Where masks overlapped, who made the file has decided.
func readRegions(file string) (*runners.Regions, error) {
	if strings.EqualFold(filepath.Ext(file), predictions.PNG) {
		l, err := labelmap.Read(file)
		if err != nil {
			return nil, err
		}
		r := &runners.Regions{W: l.W, H: l.H, IDs: make([]int32, len(l.Pix))}
		for i, v := range l.Pix {
			r.IDs[i] = int32(v)
		}
		return r, nil
	}
	r, err := readRegionsArray(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func readRegionsArray(file string) (*runners.Regions, error) {
	from, err := openArray(file)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	const most = 1 << 26 // pixels; an archive may promise any number
	shape, data, err := tensor.ReadNPY64(from, most)
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, from, 1); err != nil && err != io.EOF { // an archive's checksum is at the end
		return nil, err
	}
	if len(shape) == 3 && shape[0] == 1 {
		shape = shape[1:]
	}
	if len(shape) != 2 || len(data) == 0 {
		return nil, fmt.Errorf("masks of regions are an array %v, want [H, W]", shape)
	}
	r := &runners.Regions{W: shape[1], H: shape[0], IDs: make([]int32, len(data))}
	for i, v := range data {
		if v != math.Trunc(v) || math.Abs(v) > 1<<30 {
			return nil, fmt.Errorf("masks of regions hold %v, want whole numbers", v)
		}
		r.IDs[i] = int32(v)
	}
	return r, nil
}

// openArray is an .npy, or the array in an .npz.
func openArray(file string) (io.ReadCloser, error) {
	if strings.EqualFold(filepath.Ext(file), predictions.NPY) {
		return files.Open(file)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	for _, f := range z.File {
		if f.Name == "instance_mask.npy" || len(z.File) == 1 {
			in, err := f.Open()
			if err != nil {
				z.Close()
				return nil, err
			}
			return zipped{in, z}, nil
		}
	}
	z.Close()
	return nil, fmt.Errorf("no array instance_mask among the %d of this file", len(z.File))
}

// zipped is a file of an archive, which is closed with it.
type zipped struct {
	io.ReadCloser
	archive io.Closer
}

func (z zipped) Close() error {
	z.ReadCloser.Close()
	return z.archive.Close()
}

// regionsOf are the masks of regions of a sample, whose picture has w x h pixels; nil where no method reads them.
func (t *target) regionsOf(index, w, h int) (*runners.Regions, error) {
	if t.regions == "" {
		return nil, nil
	}
	file := t.regionFiles[index]
	r, err := readRegions(file)
	if err == nil && (r.W != w || r.H != h) {
		return nil, fmt.Errorf("%s: masks of regions of %dx%d pixels, but the picture has %dx%d", file, r.W, r.H, w, h)
	}
	return r, err
}

// voted gives every region of a label map but the first the label that most of its pixels have, for methods that do so:
// the smallest of equally many.
func voted(m methods.Method, r *runners.Regions) func(labels []uint16, w, h int) {
	if r == nil || !m.Traits().Regions {
		return nil
	}
	return func(labels []uint16, w, h int) { r.Vote(labels, w, h) }
}
