package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ovbench/datasets/picture"
	"ovbench/reports"
	"ovbench/reports/draw"
	"ovbench/runners/files"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
)

func segmentCommand() *cobra.Command {
	var s segmenting
	c := &cobra.Command{
		Use:   "segment FILE...",
		Short: "Cut objects out of pictures with Segment Anything",
		Long: `Cut objects out of pictures with Segment Anything. What is meant is said by points (--points, the file that
explain writes), by a box, or by texts: then the maps of a method make the points, as in CLIP Surgery, and nobody
clicks. The folder --out gets

  masks/TEXT.png     255 on the object, at the size of the picture
  overlays/TEXT.png  the picture, the map, the points (red on the object, blue off it) and the mask
  low_res.npy        [S, 4, h, w], the logits of all four mask tokens for each of S prompts
  iou.npy            [S, 4], the IoU that the model expects of each
  prompts.json       the prompts, which mask was taken and how large it is

A picture is encoded once for all its prompts. FILE may be a folder of pictures; with more than one picture each gets a
folder of its own below --out. Of the masks for ambiguous prompts, 1 to 3, the one with the highest expected IoU is
taken; --pick single takes mask 0, which the authors recommend for many points.

--segmenter takes sam_vit_b, _l or _h .pth, fine-tunes with the same tensors (MedSAM), a directory of transformers'
SamModel or its name in the Hugging Face cache, and a pair of exported files, encoder.onnx,decoder.onnx.`,
		Example: `  ovbench segment photo.jpg --segmenter sam_vit_b_01ec64.pth --model openai/clip-vit-base-patch16 --text dog --text grass --out cut
  ovbench segment photo.jpg --segmenter facebook/sam-vit-base --points maps/points.json --out cut
  ovbench segment pictures/ --segmenter encoder.onnx,decoder.onnx --box 10,20,200,180 --out cut`,
		Args: arguments(1, -1),
		RunE: func(c *cobra.Command, args []string) error { return s.run(c, args) },
	}
	s.add(c)
	s.addMaps(c)
	s.addMasks(c)
	c.Flags().StringVar(&s.pointsFile, "points", "", "JSON `file` with points, as explain writes it")
	c.Flags().StringVar(&s.box, "box", "", "rectangle `x0,y0,x1,y1` in pixels of the picture")
	c.Flags().StringVar(&s.as, "prompt", "points",
		"what a map becomes: points, box (around the part that holds its peak) or both")
	c.Flags().Float32Var(&s.boxThreshold, "box-threshold", methods.DefaultBoxThreshold,
		"value of the map that bounds the part for --prompt box")
	c.Flags().StringVar(&s.out, "out", "", "`folder` to write")
	return c
}

// segmenterFlags are the flags by which a command finds a segmenter.
type segmenterFlags struct{ segmenter, keep string }

func (f *segmenterFlags) addSegmenter(c *cobra.Command) {
	c.Flags().StringVar(&f.segmenter, "segmenter", "",
		"`SAM`: .pth, directory, name in the Hugging Face cache, or encoder.onnx,decoder.onnx")
	c.Flags().StringVar(&f.keep, "keep-embeddings", "",
		"keep encoded pictures in this `folder` (4 MB each) and take those it has; without a value, in the cache")
	c.Flag("keep-embeddings").NoOptDefVal = inCache
}

// inCache stands for a folder below the cache of this program.
const inCache = "<cache>"

// folder is where embeddings are kept, or nothing.
func (f *segmenterFlags) folder() (string, error) {
	if f.keep != inCache {
		return f.keep, nil
	}
	cache, err := ort.CacheDir()
	return filepath.Join(cache, "embeddings"), err
}

// openSegmenter loads the segmenter.
func (f *segmenterFlags) openSegmenter(c *cobra.Command, lib *ort.Library, o ort.Options) (*sam.Segmenter, error) {
	path, err := sam.Locate(f.segmenter)
	if err != nil {
		return nil, fmt.Errorf("--segmenter: %w", err)
	}
	o.Device = ort.Device{} // its convolutions would need cuDNN on a GPU
	s, err := sam.Load(lib, path, o)
	if err != nil {
		return nil, fmt.Errorf("--segmenter: %w", err)
	}
	for _, n := range s.Notes {
		fmt.Fprintln(c.ErrOrStderr(), "ovbench: warning: "+n)
	}
	folder, err := f.folder()
	if folder != "" && err == nil {
		err = s.Keep(folder)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// maskFlags are the flags of commands that cut objects out.
type maskFlags struct {
	segmenterFlags
	pick string
}

func (f *maskFlags) addMasks(c *cobra.Command) {
	f.addSegmenter(c)
	c.Flags().StringVar(&f.pick, "pick", "score",
		"mask to take: score, the highest expected IoU of masks 1 to 3, or single, mask 0")
}

func (f *maskFlags) checkPick() error {
	if f.pick != "score" && f.pick != "single" {
		return fmt.Errorf("--pick %q is not known; known are score, single", f.pick)
	}
	return nil
}

// segmenting is one call of segment.
type segmenting struct {
	mapFlags
	maskFlags
	pointsFile, box, as, out string
	boxThreshold             float32

	questions []question // one, where texts make the prompts
	viewer    *viewer    // nil unless texts make the prompts
	prompts   []prompt   // of every picture, where texts do not make them
	sam       *sam.Segmenter
}

func (s *segmenting) run(c *cobra.Command, args []string) error {
	files, apart, err := pictures(args)
	if err != nil {
		return err
	}
	if err := errors.Join(ort.CheckDevice(s.device, s.precision), s.understand(len(files))); err != nil {
		return usageError{err, c.CommandPath()}
	}
	if s.pointsFile != "" {
		if s.prompts, err = readPrompts(s.pointsFile); err != nil {
			return err
		}
	}
	lib, err := ort.LoadFor(s.runtime, s.device.Provider)
	if err != nil {
		return err
	}
	if s.sam, err = s.openSegmenter(c, lib, s.session().Exact()); err != nil {
		return err
	}
	defer s.sam.Close()
	if len(s.texts) > 0 {
		if s.viewer, err = s.openViewer(c, s.questions, false); err != nil {
			return err
		}
		defer s.viewer.Close()
	}
	return s.all(c, files, apart)
}

// understand checks the flags, and reads what they say of prompts.
func (s *segmenting) understand(files int) (err error) {
	ways := 0
	for _, given := range []bool{s.pointsFile != "", s.box != "", len(s.texts) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case s.segmenter == "":
		return fmt.Errorf("--segmenter is missing: name a Segment Anything model, such as sam_vit_b_01ec64.pth")
	case s.out == "":
		return fmt.Errorf("--out is missing: name the folder to write")
	case ways == 0:
		return fmt.Errorf("nothing says what to cut out: give --points FILE, --box x0,y0,x1,y1, or --model M --text T")
	case ways > 1:
		return fmt.Errorf("--points, --box and --text are three ways to say what to cut out: give one")
	case len(s.texts) > 0 && s.model == "":
		return fmt.Errorf("--model is missing: texts need an image-text model, or demo (ovbench list models)")
	case s.pointsFile != "" && files > 1:
		return fmt.Errorf("--points are of one picture, and %d are given", files)
	case s.as != "points" && s.as != "box" && s.as != "both":
		return fmt.Errorf("--prompt %q is not known; known are points, box, both", s.as)
	case !(s.boxThreshold > 0 && s.boxThreshold <= 1):
		return fmt.Errorf("--box-threshold %v: want a value of the map above 0, at most 1", s.boxThreshold)
	}
	if s.box != "" {
		b, err := parseBox(s.box)
		if err != nil {
			return err
		}
		s.prompts = []prompt{{Text: "box", Points: [][2]float64{}, Labels: []int{}, Box: &b}}
	}
	if len(s.texts) > 0 {
		if s.questions, err = s.mapFlags.questions(); err != nil {
			return err
		}
		if len(s.questions) > 1 {
			return fmt.Errorf("prompts are of the maps of one method: give one --method")
		}
	}
	return errors.Join(s.checkPoints(), s.checkPick())
}

// all segments the pictures. One of several that fails does not stop the others.
func (s *segmenting) all(c *cobra.Command, files []string, apart bool) error {
	bar := newProgress(c.ErrOrStderr())
	defer bar.finish()
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	header := "prompt\tmask\texpected IoU\tshare of picture\tfile\n"
	folders := names{}
	var faults []error
	bar.Start("segmenting", len(files))
	for i, file := range files {
		dir := s.out
		if apart {
			base := filepath.Base(file)
			dir = filepath.Join(s.out, folders.unique(strings.TrimSuffix(base, filepath.Ext(base))))
		}
		var cuts []cut
		img, err := s.readPicture(c, file)
		if err == nil {
			if cuts, err = s.one(c.Context(), file, img, dir); err != nil {
				err = fmt.Errorf("%s: %w", file, err)
			}
		}
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		if err != nil {
			faults = append(faults, err)
		}
		for _, k := range cuts {
			fmt.Fprintf(table, header+"%s\t%d\t%.3f\t%.3f\t%s\n", k.Text, k.Picked, k.IoU[k.Picked], k.Area,
				filepath.Join(dir, k.Mask))
			header = ""
		}
		bar.At(i + 1)
	}
	bar.finish()
	err := errors.Join(faults...)
	if err != nil && len(faults) < len(files) {
		err = missingError{fmt.Errorf("%w\n%d of %d pictures failed", err, len(faults), len(files))}
	}
	return errors.Join(err, table.Flush())
}

// cut is one prompt's entry in prompts.json.
type cut struct {
	prompt
	Picked int       `json:"picked"` // the mask token
	IoU    []float32 `json:"iou"`    // expected of each
	Area   float64   `json:"area"`   // of the mask, as a share of the picture
	Mask   string    `json:"mask"`   // file below the folder

	low tensor.Dense // [M, h, w]
}

// one segments a picture into a folder.
func (s *segmenting) one(ctx context.Context, file string, img *image.NRGBA, dir string) (cuts []cut, err error) {
	prompts, saliencies := s.prompts, func(int) []float32 { return nil }
	if s.viewer != nil {
		if prompts, saliencies, err = s.promptsOf(ctx, file, img); err != nil {
			return nil, err
		}
	}
	for _, p := range prompts { // before the encoder, which takes long
		if err := p.sam().Check(img.Rect.Dx(), img.Rect.Dy()); err != nil {
			return nil, fmt.Errorf("%q: %w", p.Text, err)
		}
	}
	e, err := s.sam.Embed(ctx, resample.FromNRGBA(img))
	if err != nil {
		return nil, err
	}
	named := names{}
	for i, p := range prompts {
		name := named.unique(slug(p.Text))
		k, err := s.cutOut(ctx, s.sam, e, p, saliencies(i), img, dir, name, filepath.Join("overlays", name+".png"))
		if err != nil {
			return cuts, fmt.Errorf("%q: %w", p.Text, err)
		}
		cuts = append(cuts, k)
	}
	return cuts, writeCuts(dir, cuts)
}

// promptsOf makes prompts of the maps of texts, and gives the maps at the size of the picture.
func (s *segmenting) promptsOf(ctx context.Context, file string, img *image.NRGBA) (out []prompt,
	saliencies func(i int) []float32, err error) {
	seen, err := s.viewer.look(ctx, file, img)
	if err != nil {
		return nil, nil, err
	}
	sim := seen.methods[0]
	if err := sim.surgery(len(s.texts)); err != nil {
		return nil, nil, err
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	saliencies = func(i int) []float32 { // one at a time: all of them, for a photograph, would be gigabytes
		saliency, _ := sim.ending.Map(methods.Column(sim.Patches, len(s.texts), i), sim.Rows, sim.Cols, h, w)
		return saliency
	}
	for i, text := range s.texts {
		p := s.promptOf(text, methods.Column(sim.Patches, len(s.texts), i), sim.Rows, sim.Cols, w, h)
		if s.as != "points" {
			if x0, y0, x1, y1, ok := methods.Box(saliencies(i), w, h, s.boxThreshold); ok {
				p.Box = &[4]float64{float64(x0), float64(y0), float64(x1), float64(y1)}
			}
		}
		if s.as == "box" {
			p.Points, p.Labels = [][2]float64{}, []int{}
		}
		if len(p.Points) == 0 && p.Box == nil {
			return nil, nil, fmt.Errorf("%q: the map is constant, so that there is no place to point at", text)
		}
		out = append(out, p)
	}
	return out, saliencies, nil
}

// cutOut decodes a prompt and writes its mask and figure below dir.
func (f *maskFlags) cutOut(ctx context.Context, s *sam.Segmenter, e *sam.Embedding, p prompt, saliency []float32,
	img *image.NRGBA, dir, name, figure string) (cut, error) {
	m, err := s.Segment(ctx, e, p.sam())
	if err != nil {
		return cut{}, err
	}
	k := cut{prompt: p, IoU: m.IoU, Mask: filepath.ToSlash(filepath.Join("masks", name+".png")), low: m.Low}
	if f.pick == "score" {
		k.Picked = m.Best()
	}
	mask, on := m.Mask(k.Picked), 0
	for i, v := range mask {
		on += int(v)
		mask[i] = 255 * v
	}
	k.Area = float64(on) / float64(len(mask))
	for _, path := range []string{k.Mask, figure} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o777); err != nil {
			return k, err
		}
	}
	picture := &image.Gray{Pix: mask, Stride: m.Width, Rect: image.Rect(0, 0, m.Width, m.Height)}
	if err := reports.WritePNG(filepath.Join(dir, k.Mask), picture); err != nil {
		return k, err
	}
	seg := draw.Segmented{Image: img, Saliency: saliency, Mask: mask, Title: p.Text,
		Note: fmt.Sprintf("mask %d, expected IoU %.2f", k.Picked, m.IoU[k.Picked])}
	for i, q := range p.Points {
		seg.Marks = append(seg.Marks, draw.PointMark{X: q[0], Y: q[1], On: p.Labels[i] == 1})
	}
	if b := p.Box; b != nil {
		r := image.Rect(int(b[0]), int(b[1]), int(b[2]+0.5), int(b[3]+0.5))
		seg.Box = &r
	}
	return k, reports.WritePNG(filepath.Join(dir, figure), seg.Draw())
}

// writeCuts writes what the masks came from.
func writeCuts(dir string, cuts []cut) error {
	low := cuts[0].low.Shape
	err := writeFile(filepath.Join(dir, "low_res.npy"), func(w io.Writer) error {
		return tensor.WriteNPYRows(w, append([]int{len(cuts)}, low...),
			func(i int) ([]float32, error) { return cuts[i].low.Data, nil })
	})
	if err == nil {
		err = writeFile(filepath.Join(dir, "iou.npy"), func(w io.Writer) error {
			return tensor.WriteNPYRows(w, []int{len(cuts), low[0]}, func(i int) ([]float32, error) { return cuts[i].IoU, nil })
		})
	}
	if err == nil {
		err = writeFile(filepath.Join(dir, "prompts.json"),
			func(w io.Writer) error { return json.NewEncoder(w).Encode(cuts) })
	}
	return err
}

// sam is the prompt as the segmenter takes it.
func (p prompt) sam() sam.Prompt {
	var out sam.Prompt
	for i, q := range p.Points {
		out.Points = append(out.Points, sam.Point{X: q[0], Y: q[1], Positive: p.Labels[i] == 1})
	}
	if b := p.Box; b != nil {
		out.Box = &sam.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}
	}
	return out
}

// maxPrompts bounds a file of prompts.
const maxPrompts, maxPromptBytes = 4096, 16 << 20

// readPrompts reads a file as explain writes it. Entries may have a box as well, as in prompts.json.
func readPrompts(path string) ([]prompt, error) {
	data, err := files.Read(path, maxPromptBytes)
	if err != nil {
		return nil, err
	}
	var out []prompt
	var sizes []struct { // of lists, which an array takes at any length
		Points [][]float64
		Box    []float64
	}
	if err := errors.Join(json.Unmarshal(data, &out), json.Unmarshal(data, &sizes)); err != nil {
		err, _, _ := strings.Cut(err.Error(), "\n") // both say the same
		return nil, fmt.Errorf(`%s: %s; want [{"text": "dog", "points": [[x, y], ...], "labels": [1, ...]}, ...], as ovbench explain writes it`, path, err)
	}
	if len(out) == 0 || len(out) > maxPrompts {
		return nil, fmt.Errorf("%s: %d prompts; want 1 to %d", path, len(out), maxPrompts)
	}
	for i, p := range out {
		if len(p.Points) != len(p.Labels) || slices.ContainsFunc(p.Labels, func(l int) bool { return l != 0 && l != 1 }) {
			return nil, fmt.Errorf("%s: prompt %d, %q: want a label for each point, 1 on the object or 0 off it", path,
				i+1, p.Text)
		}
		if n := len(sizes[i].Box); n != 0 && n != 4 || slices.ContainsFunc(sizes[i].Points,
			func(q []float64) bool { return len(q) != 2 }) {
			return nil, fmt.Errorf("%s: prompt %d, %q: want two numbers x, y for each point and four for a box", path, i+1,
				p.Text)
		}
		out[i].Text = cmp.Or(p.Text, "prompt "+strconv.Itoa(i+1))
	}
	return out, nil
}

func parseBox(s string) (b [4]float64, err error) {
	parts := strings.Split(s, ",")
	for i, part := range parts {
		if len(parts) != 4 {
			break
		}
		if b[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			break
		}
	}
	if len(parts) != 4 || err != nil {
		return b, fmt.Errorf("--box %q: want four numbers x0,y0,x1,y1", s)
	}
	return b, nil
}

// pictures lists picture files, and those in folders; apart says that each gets a folder of its own.
func pictures(args []string) (files []string, apart bool, err error) {
	apart = len(args) > 1
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, false, err
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		apart = true
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, false, err
		}
		before := len(files)
		for _, e := range entries {
			if slices.Contains(picture.Endings, strings.ToLower(filepath.Ext(e.Name()))) {
				files = append(files, filepath.Join(arg, e.Name()))
			}
		}
		if len(files) == before {
			return nil, false, fmt.Errorf("%s: no pictures in this folder (%s)", arg,
				strings.Join(picture.Endings, ", "))
		}
	}
	return files, apart, nil
}

// names gives every name once: the second "dog" is "dog-2".
type names map[string]bool

func (n names) unique(name string) string {
	unique := name
	for i := 2; n[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	n[unique] = true
	return unique
}
