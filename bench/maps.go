package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/datasets"
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
	methods                                 []string
	positions, templates, redundant, ending string
	texts                                   []string
	size                                    sizeFlag
	points                                  methods.PointOptions
}

func (f *mapFlags) addMaps(c *cobra.Command) {
	f.addPictures(c)
	f.size = sizeFlag{512, 512}
	c.Flags().StringArrayVar(&f.texts, "text", nil, "`text` to look for; repeat for more")
	c.Flags().StringSliceVar(&f.methods, "method", []string{"clip_surgery"},
		"`methods` (ovbench list methods), repeated or separated by commas, with parameters as in naclip:attn=kk:sigma=3")
	c.Flags().Var(&f.size, "size", "network input in pixels")
	c.Flags().StringVar(&f.positions, "positions", "reference",
		"positional interpolation: bilinear, bicubic, bicubic-size, bicubic-antialias, or reference for the method's own")
	c.Flags().StringVar(&f.templates, "templates", "surgery85",
		"none, openai80, surgery85, or a `file` with one template a line")
	c.Flags().StringVar(&f.redundant, "redundant", "",
		"labels, empty, paper (Eq. 6-9 as printed), sigmoid (SigLIP) or none (default: by method and number of texts)")
	c.Flags().StringVar(&f.ending, "ending", "",
		"how values become maps: minmax-resize, resize-minmax, relu-minmax-resize, relu-minmax-resize-minmax (default: the "+
			"method's own)")
	c.Flags().Float32Var(&f.points.Threshold, "point-threshold", methods.DefaultPoints.Threshold,
		"least value of a point on the object")
	c.Flags().IntVar(&f.points.Shrink, "point-shrink", methods.DefaultPoints.Shrink,
		"reduce maps by this factor before points are taken")
	c.Flags().IntVar(&f.points.Most, "max-points", 0,
		"take the surest `N` points on the object and as many off it (default: all)")
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

// question is one method of a command, with what becomes of its values.
type question struct {
	spec   string // as the flag spells it
	traits methods.Traits
	form   methods.FeatureSurgery
	ending methods.Ending
}

// questions reads --method, --redundant and --ending.
func (f *mapFlags) questions() (out []question, err error) {
	if len(f.texts) > 0 && !slices.ContainsFunc(f.texts, func(text string) bool { return !blank(text) }) {
		return nil, errors.New(`--text is empty: say what to look for, such as --text "a dog"`)
	}
	form, given, err := methods.ParseFeatureSurgery(f.redundant)
	if err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	ending, err := methods.ParseEnding(f.ending)
	if err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	if given && form != methods.NoSurgery && form != methods.Empty && len(f.texts) == 1 {
		return nil, fmt.Errorf("--redundant %s with a single text removes everything: give more texts, or use empty", form)
	}
	for _, spec := range f.methods {
		m, err := methods.Parse(spec)
		if err != nil {
			return nil, err
		}
		q := question{spec: spec, traits: m.Traits(), form: m.Traits().Form(), ending: cmp.Or(ending, m.Traits().Ending)}
		switch {
		case q.traits.Explains: // there are no cosines to take anything from
		case given:
			q.form = form
		case len(f.texts) == 1 && q.form != methods.NoSurgery: // what a single text shares with others is not known
			q.form = methods.Empty
		}
		out = append(out, q)
	}
	return out, nil
}

// viewer is methods with their model loaded, to look at pictures for texts.
type viewer struct {
	images    *runners.Images
	questions []question
	model     *engine.Model
	lib       *ort.Library
	h, w      int          // of the network's input
	texts     tensor.Dense // [T, E], normalised
	withEmpty bool         // the last is the empty text
	warn      io.Writer    // of what the built-in model never saw; nil for other models
}

// Close frees the sessions.
func (v *viewer) Close() error { return v.images.Close() }

// unchanged is the name of the unchanged model in a viewer, beside methods that have no global token.
const unchanged = "the unchanged model"

// openImages loads the methods' image tower at the size asked for.
func (f *mapFlags) openImages(c *cobra.Command, questions []question) (*viewer, error) {
	p, err := vit.ParseInterpolation(f.positions)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	named, err := namedMethods(f.methods...)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	if !slices.ContainsFunc(questions, func(q question) bool { return !q.traits.Texts }) {
		named = append(named, runners.Named{Name: unchanged, Method: &methods.CLIP{}})
	}
	v := &viewer{questions: questions}
	if v.model, v.lib, err = f.open(c); err != nil {
		return nil, err
	}
	if v.model.Name == "demo" {
		v.warn = c.ErrOrStderr()
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

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// openViewer loads the image tower and encodes the texts, with the empty one if a form of feature surgery or the caller
// asks for it.
func (f *mapFlags) openViewer(c *cobra.Command, questions []question, withEmpty bool) (*viewer, error) {
	templates, err := clip.Templates(f.templates)
	if err != nil {
		return nil, usageError{err, c.CommandPath()}
	}
	v, err := f.openImages(c, questions)
	if err != nil {
		return nil, err
	}
	withEmpty = withEmpty || slices.ContainsFunc(questions, func(q question) bool { return q.form == methods.Empty })
	if slices.ContainsFunc(f.texts, blank) {
		fmt.Fprintln(c.ErrOrStderr(), "ovbench: warning: a --text is empty: its map is of no word, what all pictures share")
	}
	v.unread(f.texts...)
	if err = checkTexts(c, v.model, f.texts, templates); err == nil {
		err = f.encode(c.Context(), v, templates, withEmpty)
	}
	if err != nil {
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

// similarity is what one method says of a picture for the texts.
type similarity struct {
	question
	score methods.Score
	runners.Maps
	empty runners.Maps // for the empty text, if asked for
}

// sight is what all methods say of a picture.
type sight struct {
	methods       []similarity
	global, empty []float32 // the global token's cosines with the texts, and with the empty one if asked for
	model         *clip.Model
}

// look is what the methods say of the picture in file for the viewer's texts.
func (v *viewer) look(ctx context.Context, file string, img *image.NRGBA) (sight, error) {
	passive := 0
	if v.withEmpty {
		passive = 1
	}
	return v.compare(ctx, file, img, v.texts, passive)
}

// unread warns of words that the built-in model never read: those it has no token for.
func (v *viewer) unread(texts ...string) {
	var words []string
	for _, text := range texts {
		for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
			if v.warn != nil && len(v.model.Tokenizer.Encode(w)) > 1 && !slices.Contains(words, strconv.Quote(w)) {
				words = append(words, strconv.Quote(w))
			}
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(v.warn, "ovbench: warning: the built-in model never read %s: it knows the words of shapes alone, such "+
			"as \"red\", \"circle\", \"grass\"\n", strings.Join(words, ", "))
	}
}

// unseen warns of a picture that is none of those the built-in model was trained on, as far as its size tells.
func (v *viewer) unseen(file string, img *image.NRGBA) {
	if size := img.Rect.Size(); v.warn != nil && (size.X != datasets.ShapesSide || size.Y != datasets.ShapesSide) {
		fmt.Fprintf(v.warn, "ovbench: warning: the built-in model has seen nothing but drawings of shapes (ovbench shapes), "+
			"and %s is none: its maps are no answer; --model names another one\n", file)
	}
}

// compare is look for texts [T, E], which are normalised. Some of them, at the end, steer no method.
func (v *viewer) compare(ctx context.Context, file string, img *image.NRGBA, texts tensor.Dense, passive int) (sight,
	error) {
	v.unseen(file, img)
	pixels, err := clip.Preprocess(img, v.h, v.w, clip.Squash, v.model.Filter)
	var scan runners.Scan
	if err == nil {
		scan, err = v.images.Scan(ctx, runners.Picture{Pixels: pixels, Image: img}, runners.Sliding{},
			runners.TextSet{Texts: texts, Passive: passive})
	}
	if err != nil {
		return sight{}, fmt.Errorf("%s: %w", file, err)
	}
	s := sight{model: v.model.Model}
	all := texts.Shape[0]
	for i := range v.images.Methods() {
		asked, rest := scan.Maps(i, 0, 0, all-passive), scan.Maps(i, 0, all-passive, all)
		if s.global == nil {
			s.global, s.empty = asked.Global, rest.Global
		}
		if i < len(v.questions) {
			s.methods = append(s.methods, similarity{v.questions[i], methods.ScoreOf(v.model.Model), asked, rest})
		}
	}
	return s, nil
}

// surgery is feature surgery on the values.
func (s *similarity) surgery(texts int) error {
	return s.form.Apply(s.Global, s.Patches, texts, s.empty.Patches, s.score)
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
