package datasets

// RLE is a binary mask of H x W pixels as COCO stores it: run lengths of zeros and ones in turn, zeros first, down the
// columns. The zero value is no mask.
type RLE struct {
	H, W   int
	Counts []uint32
}
