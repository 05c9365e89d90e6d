package main

import (
	"context"
	"fmt"
	"image"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// mapFlags are the flags by which a command makes maps of texts, and points of maps.
type mapFlags struct {
	modelFlags
	pictureFlags
	method, positions, templates, redundant string
	texts                                   []string
	size                                    sizeFlag
	points                                  methods.PointOptions
}

func (f *mapFlags) addMaps(c *cobra.Command) {
	f.addPictures(c)
	f.size = sizeFlag{512, 512}
	c.Flags().StringArrayVar(&f.texts, "text", nil, "`text` to look for; repeat for more")
	c.Flags().StringVar(&f.method, "method", "clip_surgery", "`method` (ovbench list methods), with parameters as in naclip:attn=kk:sigma=3")
	c.Flags().Var(&f.size, "size", "network input in pixels")
	c.Flags().StringVar(&f.positions, "positions", "reference", "positional interpolation: bilinear, bicubic, bicubic-size, bicubic-antialias, or reference for the method's own")
	c.Flags().StringVar(&f.templates, "templates", "surgery85", "none, openai80, surgery85, or a `file` with one template a line")
	c.Flags().StringVar(&f.redundant, "redundant", "", "labels, empty, paper (Eq. 6-9 as printed) or none (default: by method and number of texts)")
	c.Flags().Float32Var(&f.points.Threshold, "point-threshold", methods.DefaultPoints.Threshold, "least value of a point on the object")
	c.Flags().IntVar(&f.points.Shrink, "point-shrink", methods.DefaultPoints.Shrink, "reduce maps by this factor before points are taken")
	c.Flags().IntVar(&f.points.Most, "max-points", 0, "take the surest `N` points on the object and as many off it (default: all)")
}

// checkPoints wants options that Points can take.
func (f *mapFlags) checkPoints() error {
	switch o := f.points; {
	case !(o.Threshold >= 0 && o.Threshold <= 1):
		return fmt.Errorf("--point-threshold %v: want a value of the maps, in 0..1", o.Threshold)
	case o.Shrink < 1:
		return fmt.Errorf("--point-shrink %d: want 1 or more", o.Shrink)
	case o.Most < 0:
		return fmt.Errorf("--max-points %d: want 0 for all, or more", o.Most)
	}
	return nil
}

// form is the feature surgery to use: as asked for, else the method's own, for which a single text means the empty text's form.
func (f *mapFlags) form() (methods.FeatureSurgery, error) {
	form, given, err := methods.ParseFeatureSurgery(f.redundant)
	if err != nil {
		return "", fmt.Errorf("--%w", err)
	}
	m, err := methods.Parse(f.method)
	if err != nil {
		return "", err
	}
	labels := form == methods.Labels || form == methods.Paper
	switch {
	case given && labels && len(f.texts) == 1:
		return "", fmt.Errorf("--redundant %s with a single text removes everything: give more texts, or use empty", form)
	case given:
		return form, nil
	case len(f.texts) == 1 && m.Traits().Form() != methods.NoSurgery:
		return methods.Empty, nil
	}
	return m.Traits().Form(), nil
}

// viewer is a method with its model loaded, to look at pictures for texts.
type viewer struct {
	images    *runners.Images
	model     *engine.Model
	lib       *ort.Library
	h, w      int          // of the network's input
	texts     tensor.Dense // [T, E], normalised
	withEmpty bool         // the last is the empty text
}

// Close frees the sessions.
func (v *viewer) Close() error { return v.images.Close() }

// openImages loads the method's image tower at the size asked for.
func (f *mapFlags) openImages(c *cobra.Command) (*viewer, error) {
	p, err := vit.ParseInterpolation(f.positions)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	named, err := namedMethods(f.method)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	v := &viewer{}
	if v.model, v.lib, err = f.open(c); err != nil {
		return nil, err
	}
	v.h, v.w = f.size.or(v.model.Image)
	towers, err := f.openBackbones(c, named)
	if err != nil {
		return nil, err
	}
	v.images, err = runners.NewImages(v.lib, v.model.Model, named, runners.ImageOptions{
		Height: v.h, Width: v.w, Positions: p, Similarities: true, Backbones: towers, Session: f.session(),
	})
	return v, err
}

// openViewer loads the image tower and encodes the texts, with the empty one if asked for.
func (f *mapFlags) openViewer(c *cobra.Command, withEmpty bool) (*viewer, error) {
	templates, err := clip.Templates(f.templates)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	v, err := f.openImages(c)
	if err != nil {
		return nil, err
	}
	if err := f.encode(c.Context(), v, templates, withEmpty); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

func (f *mapFlags) encode(ctx context.Context, v *viewer, templates []string, withEmpty bool) (err error) {
	tower, err := runners.NewTexts(v.lib, v.model.Model, v.model.Tokenizer, f.session())
	if err != nil {
		return err
	}
	defer tower.Close()
	texts := f.texts
	if v.withEmpty = withEmpty; withEmpty {
		texts = append(texts[:len(texts):len(texts)], "")
	}
	v.texts, err = tower.Ensemble(ctx, texts, templates, nil)
	return err
}

// similarity is one picture's cosines with the texts.
type similarity struct {
	runners.Maps
	empty runners.Maps // with the empty text, if asked for
	scale float64      // logit scale
}

// look is the cosines of the picture in file with the viewer's texts.
func (v *viewer) look(ctx context.Context, file string, img *image.NRGBA) (similarity, error) {
	s, err := v.compare(ctx, file, img, v.texts)
	if n := v.texts.Shape[0]; v.withEmpty && err == nil {
		s.Maps, s.empty = s.Select(0, n-1, n), s.Select(n-1, n, n)
	}
	return s, err
}

// compare is the picture's cosines with texts [T, E], which are normalised.
func (v *viewer) compare(ctx context.Context, file string, img *image.NRGBA, texts tensor.Dense) (similarity, error) {
	pixels, err := clip.Preprocess(img, v.h, v.w, clip.Squash, clip.FilterBicubic)
	if err != nil {
		return similarity{}, fmt.Errorf("%s: %w", file, err)
	}
	out, err := v.images.Similarities(ctx, pixels, texts)
	if err != nil {
		return similarity{}, fmt.Errorf("%s: %w", file, err)
	}
	return similarity{Maps: out[0].At(0), scale: v.model.LogitScale}, nil
}

// prompt is one object's entry in points.json.
type prompt struct {
	Text   string       `json:"text"`
	Points [][2]float64 `json:"points"` // x, y in pixels of the picture
	Labels []int        `json:"labels"` // 1 on the object, 0 off it
	Box    *[4]float64  `json:"box,omitempty"`
}

// promptOf is the points that the map of a text gives on a picture of w x h pixels.
func (f *mapFlags) promptOf(text string, cells []float32, rows, cols, w, h int) prompt {
	p := prompt{Text: text, Points: [][2]float64{}, Labels: []int{}}
	for _, q := range methods.Points(cells, rows, cols, w, h, f.points) {
		p.Points = append(p.Points, [2]float64{float64(q.X), float64(q.Y)})
		p.Labels = append(p.Labels, q.Label)
	}
	return p
}
