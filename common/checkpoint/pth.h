/*
** pth.h: the tensors of a .pth as torch.save writes it (since PyTorch 1.6), in memory.
**
** For weights.c, which maps the file. Nothing outside the given bytes is read.
*/
#ifndef PTH_H
#define PTH_H

#include "../tensor.h"

typedef struct pth pth;

/* bytes and where must outlive the result. Dies, naming `where`, for what is no state dict. */
pth *pth_open(const void *bytes, size_t n, const char *where);
int pth_count(const pth *p);
const char *pth_name(const pth *p, int i);
tensor pth_shape(const pth *p, int i); /* without data */
/* Contiguous and aligned: a view of the bytes where they are so, else a copy that p keeps. */
tensor pth_tensor(pth *p, int i);
void pth_close(pth *p);

#endif
