package datasets

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
)

// Shapes is drawn, not read: scenes of shapes on textured grounds, made from a seed when asked for. Picture i of a
// split depends on nothing but the seed, the split and i, and its bytes are the same on every machine.
//
// In train, dev and val eight pairs of colour and shape never occur; in heldout no others do. A model trained on train
// has read every word of such a pair and has not seen it: that is the open vocabulary here.
type Shapes struct {
	info  Info
	seed  uint64
	n     int
	label func(t *shapeThing) int // of a thing
	first int                     // label of the first ground
}

// shapeSplits lists the splits with their usual numbers of pictures.
var shapeSplits = []struct {
	name   string
	images int
}{{"train", 60000}, {"dev", 400}, {"val", 400}, {"heldout", 400}}

// DefaultShapesSeed is the seed of what [Open] opens.
const DefaultShapesSeed = 1

// ShapesOptions say which pictures to make.
type ShapesOptions struct {
	Split  string // "" is val
	Images int    // 0 is the split's usual number
	Seed   uint64
	Pairs  bool // classes are pairs such as "red circle", not shapes
}

// NewShapes is the data set of o. It makes nothing before a sample is asked for.
func NewShapes(o ShapesOptions) (*Shapes, error) {
	if o.Split == "" {
		o.Split = "val"
	}
	names := make([]string, len(shapeSplits))
	for i, s := range shapeSplits {
		names[i] = s.name
		if s.name == o.Split && o.Images == 0 {
			o.Images = s.images
		}
	}
	if !slices.Contains(names, o.Split) {
		return nil, fmt.Errorf("split %q is not known%s (known: %s)", o.Split, didYouMean(o.Split, names),
			strings.Join(names, ", "))
	}
	if o.Images < 1 || o.Images > maxShapes {
		return nil, fmt.Errorf("%d images: want 1 to %d", o.Images, maxShapes)
	}
	s := &Shapes{seed: o.Seed, n: o.Images, label: func(t *shapeThing) int { return int(t.figure) }}
	s.info = Info{
		Name: "shapes", Title: "Shapes on textured grounds", Split: o.Split, Homepage: "built in",
		Layout: "nothing: pictures are made when asked for (ovbench shapes writes them out)",
	}
	s.info.Classes = slices.Concat(shapeFigures, shapeGrounds)
	if o.Pairs {
		s.info.Name, s.info.Title = "shapes_pairs", "Coloured shapes on textured grounds"
		s.info.Classes = slices.Concat(shapePairs(), shapeGrounds)
		s.label = func(t *shapeThing) int { return t.colour*len(shapeFigures) + int(t.figure) }
	}
	s.first = len(s.info.Classes) - len(shapeGrounds)
	ids := make([]string, o.Images)
	for i := range ids {
		ids[i] = s.ID(i)
	}
	s.info.ListSHA256 = listSHA256(ids)
	return s, nil
}

// maxShapes bounds the list of a data set, and keeps ids at one length.
const maxShapes = 1_000_000

// shapePairs names the pairs, colour by colour.
func shapePairs() []string {
	var out []string
	for _, c := range shapeColours {
		for _, f := range shapeFigures {
			out = append(out, c+" "+f)
		}
	}
	return out
}

func openShapes(o Options) (Dataset, error)      { return openDrawn(o, false) }
func openShapesPairs(o Options) (Dataset, error) { return openDrawn(o, true) }

func openDrawn(o Options, pairs bool) (Dataset, error) {
	s, err := NewShapes(ShapesOptions{Split: o.Split, Seed: DefaultShapesSeed, Pairs: pairs})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Info describes the data set.
func (s *Shapes) Info() Info { return cloneInfo(s.info) }

// Len is the number of pictures.
func (s *Shapes) Len() int { return s.n }

// ID names the seed and the picture, as both say what is in it.
func (s *Shapes) ID(i int) string { return fmt.Sprintf("%s_%d_%06d", s.info.Split, s.seed, i) }

// streams of random numbers of one picture
const (
	streamScene = iota
	streamCaptions
)

// random is a stream of picture i.
func (s *Shapes) random(i int, stream uint64) *random {
	h := fnv.New64a()
	h.Write([]byte(s.info.Split))
	r := random(mix(mix(mix(s.seed)^h.Sum64())^uint64(i)) ^ stream<<56)
	return &r
}

func (s *Shapes) scene(i int) shapeScene {
	return newScene(s.random(i, streamScene), s.info.Split == "heldout")
}

// ShapesText is what is in a picture of shapes, in words.
type ShapesText struct {
	ID       string        `json:"id"`
	Captions []string      `json:"captions"` // the first names everything
	Things   []ShapesThing `json:"things"`   // from the lowest to the topmost
	Grounds  []string      `json:"grounds"`  // from above
}

// ShapesThing is one thing of a picture. A texture or size that needs no word is empty.
type ShapesThing struct {
	Size    string `json:"size,omitempty"`
	Texture string `json:"texture,omitempty"`
	Colour  string `json:"colour"`
	Shape   string `json:"shape"`
}

// Text describes picture i, 0 <= i < Len, with n captions.
func (s *Shapes) Text(i, n int) ShapesText {
	sc := s.scene(i)
	out := ShapesText{ID: s.ID(i), Captions: sc.captions(s.random(i, streamCaptions), n), Things: []ShapesThing{}}
	for k := range sc.things {
		t := &sc.things[k]
		out.Things = append(out.Things, ShapesThing{t.size(), shapeTextures[t.texture], shapeColours[t.colour],
			shapeFigures[t.figure]})
	}
	for _, g := range sc.grounds {
		out.Grounds = append(out.Grounds, shapeGrounds[g])
	}
	return out
}

// At makes picture i with its label map, the classes in it, and the things, each with a mask of what of it can be seen.
func (s *Shapes) At(i int) (Sample, error) {
	if i < 0 || i >= s.Len() {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", s.info.Name, i, s.Len())
	}
	sc := s.scene(i)
	c := sc.paint()
	out := Sample{ID: s.ID(i), Image: c.picture(), Tags: make([]Tag, len(s.info.Classes)), Objects: []Object{}}
	out.Labels = labelmap.Map{W: ShapesSide, H: ShapesSide, Pix: make([]uint16, len(c.owner))}
	for p, k := range c.owner {
		label := s.first + sc.grounds[c.ground[p]]
		if k != noThing {
			label = s.label(&sc.things[k])
		}
		out.Labels.Pix[p], out.Tags[label] = uint16(label), Present
	}
	for k := range sc.things {
		mask, err := c.mask(int8(k))
		if err != nil {
			return Sample{}, fmt.Errorf("%s: %w", s.info.Name, err)
		}
		if x0, y0, x1, y1 := mask.Box(); x1 > x0 {
			out.Objects = append(out.Objects, Object{
				Class: s.label(&sc.things[k]), Mask: mask, X0: float64(x0), Y0: float64(y0), X1: float64(x1), Y1: float64(y1),
			})
		}
	}
	return out, nil
}

// mask is what can be seen of thing k.
func (c *canvas) mask(k int8) (mask.RLE, error) {
	var runs []uint32
	last, n := false, uint32(0)
	for x := range ShapesSide {
		for y := range ShapesSide {
			if one := c.owner[y*ShapesSide+x] == k; one != last {
				runs, n, last = append(runs, n), 0, one
			}
			n++
		}
	}
	return mask.New(append(runs, n), ShapesSide, ShapesSide)
}

// ObjectMap labels the pixels of object k of a sample k+1, the rest 0, as VOC's SegmentationObject does. Objects
// without a mask have no pixels.
func ObjectMap(s Sample) labelmap.Map {
	l := labelmap.Map{W: s.Labels.W, H: s.Labels.H, Pix: make([]uint16, len(s.Labels.Pix))}
	for k, o := range s.Objects {
		if o.Mask.Counts != nil {
			o.Mask.Paint(l.Pix, uint16(k+1))
		}
	}
	return l
}
