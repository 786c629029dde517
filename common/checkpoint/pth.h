/*
** pth.h: the tensors of a .pth as torch.save writes it, in memory: a zip since PyTorch 1.6, a row
** of pickles before; and those of a TorchScript archive.
**
** For files.c, which maps the file. Nothing outside the given bytes is read.
*/
#ifndef PTH_H
#define PTH_H

#include "../tensor.h"

typedef struct pth pth;

/* Do the bytes begin as torch.save's did before PyTorch 1.6? */
bool pth_is_legacy(const void *bytes, size_t n);
/* bytes and where must outlive the result. key: of one of several models, or NULL. Dies, naming
 * `where`, for what is no state dict. */
pth *pth_open(const void *bytes, size_t n, const char *where, const char *key);
int pth_count(const pth *p);
const char *pth_name(const pth *p, int i);
tensor pth_shape(const pth *p, int i);     /* without data */
bool pth_narrow_activations(const pth *p); /* torchao says that they were of 8 bits */
/* Contiguous and aligned: a view of the bytes where they are so, else a copy that p keeps. */
tensor pth_tensor(pth *p, int i);
void pth_close(pth *p);

#endif
