/* BERT in plain C: the forward pass and the loss of every class, in float32.

       cc -O2 -o bert bert.c -lm
       ./bert in.safetensors out.safetensors

   It reads weights (param:NAME), inputs (in:NAME) and settings (config.NAME), and
   writes what each step gives, by the names of the pack.  A safetensors file is the
   length of its header in 8 bytes, the header, and then the numbers, little-endian.
   The header is JSON: {name: {"dtype", "shape", "data_offsets"}}.
   -DTANH_GELU builds it with the other form of GELU, which is wrong for BERT.
   This file shows how a BERT in any language joins the comparison; it is not quick. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char name[96], type[8]; int shape[4], axes; char *data; } Tensor;

static Tensor in[256], out[256];
static int ins, outs, B, T, C, N, V;       /* texts, tokens, channels, heads, words */
static float eps;                          /* of every LayerNorm */
static char class[64], act[16], problem[40], *bert;     /* bert: how its names start */

static void fail(const char *what, const char *name) {
    fprintf(stderr, "bert: %s %s\n", what, name);
    exit(1);
}

static void *room(size_t bytes) {         /* never freed: the program is a short one */
    void *x = calloc(bytes, 1);
    return x ? x : (fail("no", "memory"), NULL);
}

static float *floats(long count) { return room(count * sizeof(float)); }

static char *join(const char *a, const char *b) {
    return strcat(strcpy(room(strlen(a) + strlen(b) + 1), a), b);
}

/* ---------------------------------------------------------------- safetensors */

/* Copy the string of JSON that starts at the quote p; return what follows it. */
static char *string(char *p, char *to, int most) {
    for (p++; *p && *p != '"' && --most; p++) *to++ = *p;
    if (*p != '"') fail("cannot read", "the header");
    *to = 0;
    return p + 1;
}

/* Copy the string that belongs to a key; without such a key, leave `to` as it is. */
static void text(char *head, const char *key, char *to, int most) {
    char *p = strstr(head, key);
    if (p) string(p + strlen(key), to, most);
}

static void read_tensors(const char *path) {
    FILE *file = fopen(path, "rb");
    uint64_t length;
    if (!file || fread(&length, 8, 1, file) != 1) fail("cannot read", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file) - 8 - (long)length;
    char *head = room(length + 1), *data = room(size + 1);
    fseek(file, 8, SEEK_SET);
    if (fread(head, 1, length, file) != length ||
        (long)fread(data, 1, size, file) != size) fail("cannot read", path);
    text(head, "\"class\":", class, sizeof class);
    text(head, "\"hidden_act\":", act, sizeof act);
    text(head, "\"problem_type\":", problem, sizeof problem);
    for (char *p = head; (p = strchr(p, '"')); p = strchr(p, '}')) {
        Tensor *t = &in[ins];
        p = string(p, t->name, sizeof t->name);
        if (!strcmp(t->name, "__metadata__")) continue;
        if (++ins == 256) fail("too many tensors in", path);
        text(p, "\"dtype\":", t->type, sizeof t->type);
        char *q = strstr(p, "\"shape\":") + 8;                /* at the bracket */
        while (*q != ']' && q[1] != ']') t->shape[t->axes++] = strtol(q + 1, &q, 10);
        q = strstr(p, "\"data_offsets\":") + 15;
        t->data = data + strtol(q + 1, &q, 10);
        if (strtol(q + 1, NULL, 10) > size) fail("the end is missing of", path);
    }
}

static long count(const Tensor *t) {
    long n = 1;
    for (int i = 0; i < t->axes; i++) n *= t->shape[i];
    return n;
}

static void write_tensors(const char *path) {
    FILE *file = fopen(path, "wb");
    char *head = room(outs * 256 + 16), *p = head + sprintf(head, "{");
    long at = 0;
    if (!file) fail("cannot write", path);
    for (int i = 0; i < outs; i++, p += sprintf(p, "%ld]}", at)) {
        p += sprintf(p, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i ? "," : "",
                     out[i].name);
        for (int k = 0; k < out[i].axes; k++)
            p += sprintf(p, "%s%d", k ? "," : "", out[i].shape[k]);
        p += sprintf(p, "],\"data_offsets\":[%ld,", at);
        at += 4 * count(&out[i]);
    }
    uint64_t length = p - head + sprintf(p, "}");
    fwrite(&length, 8, 1, file);
    fwrite(head, 1, length, file);
    for (int i = 0; i < outs; i++) fwrite(out[i].data, 4, count(&out[i]), file);
    if (fclose(file)) fail("cannot write", path);
}

/* Keep a result under a name, to be written; the axes are those that are not 0. */
static float *tap(const char *at, const char *name, float *x,
                  int a, int b, int c, int d) {
    Tensor *t = &out[outs++];
    int sizes[] = {a, b, c, d};
    if (outs > 200) fail("too many results, at", name);
    snprintf(t->name, sizeof t->name, "%s%s", at, name);
    for (int i = 0; i < 4; i++) if (sizes[i]) t->shape[t->axes++] = sizes[i];
    t->data = (char *)x;
    return x;
}

static Tensor *find(const char *kind, const char *name) {       /* NULL: not there */
    char *full = join(kind, name);
    for (int i = 0; i < ins; i++) if (!strcmp(in[i].name, full)) return &in[i];
    return NULL;
}

static Tensor *need(const char *kind, const char *name) {
    Tensor *t = find(kind, name);
    return t ? t : (fail("there is no", join(kind, name)), NULL);
}

static float *param(const char *at, const char *name) {
    return (float *)need("param:", join(at, name))->data;
}

static double number(const Tensor *t, long i) {
    return t->type[0] == 'I' ? (double)((int64_t *)t->data)[i] :
        !strcmp(t->type, "F64") ? ((double *)t->data)[i] : ((float *)t->data)[i];
}

static double config(const char *name) { return number(need("config.", name), 0); }

/* ----------------------------------------------------------------- small steps */

/* x (rows, I) -> x w^T + b (rows, O) */
static float *linear(const float *x, int rows, int I, int O, float *w, float *b) {
    float *y = floats((long)rows * O);
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < O; o++) {
            float sum = 0;
            for (int i = 0; i < I; i++) sum += x[r * I + i] * w[o * I + i];
            y[r * O + o] = sum + b[o];
        }
    return y;
}

static float *dense(const char *at, const float *x, int rows, int I, int O) {
    return linear(x, rows, I, O, param(at, ".weight"), param(at, ".bias"));
}

static float *layer_norm(const char *at, const float *x, int rows) {
    float *w = param(at, ".weight"), *b = param(at, ".bias");
    float *y = floats((long)rows * C);
    for (int r = 0; r < rows; r++, x += C) {
        float mean = 0, var = 0;
        for (int c = 0; c < C; c++) mean += x[c] / C;
        for (int c = 0; c < C; c++) var += (x[c] - mean) * (x[c] - mean) / C;
        for (int c = 0; c < C; c++)
            y[r * C + c] = (x[c] - mean) / sqrtf(var + eps) * w[c] + b[c];
    }
    return y;
}

static float *gelu(const float *x, long size) {
    int tanh_form = !strcmp(act, "gelu_new");
    float *y = floats(size);
#ifdef TANH_GELU
    tanh_form = 1;
#endif
    for (long i = 0; i < size; i++)
        y[i] = 0.5f * x[i] * (!tanh_form ? erfcf(-x[i] * 0.70710678f) : 1 +
            tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
    return y;
}

static float *add(const float *x, const float *y, long size) {
    float *z = floats(size);
    for (long i = 0; i < size; i++) z[i] = x[i] + y[i];
    return z;
}

/* ------------------------------------------------------------------- the model */

/* LayerNorm(dense(x) + residual), the end of both halves of a layer. */
static float *add_norm(const char *at, float *x, int I, float *residual) {
    float *h = tap(at, ".dense", dense(join(at, ".dense"), x, B * T, I, C), B, T, C, 0);
    h = tap(at, ".sum", add(h, residual, (long)B * T * C), B, T, C, 0);
    return tap(at, ".out", layer_norm(join(at, ".LayerNorm"), h, B * T), B, T, C, 0);
}

/* x (B, T, C) attends to source (B, S, C) where the mask (B, S) is 1. */
static float *attention(const char *at, float *x, float *source, int S, Tensor *mask,
                        int causal) {
    char *self = join(at, ".self");
    int D = C / N;
    float *q = dense(join(self, ".query"), x, B * T, C, C);
    float *k = dense(join(self, ".key"), source, B * S, C, C);
    float *v = dense(join(self, ".value"), source, B * S, C, C);
    tap(self, ".query", q, B, T, C, 0);
    tap(self, ".key", k, B, S, C, 0);
    tap(self, ".value", v, B, S, C, 0);
    float *scores = tap(self, ".scores", floats((long)B * N * T * S), B, N, T, S);
    float *probs = tap(self, ".probs", floats((long)B * N * T * S), B, N, T, S);
    float *context = tap(self, ".context", floats((long)B * T * C), B, T, C, 0);
    for (int row = 0; row < B * N * T; row++) {
        int b = row / T / N, n = row / T % N, t = row % T;
        float *score = scores + row * S, *prob = probs + row * S;
        float top = -FLT_MAX, sum = 0;
        for (int s = 0; s < S; s++) {
            for (int d = n * D; d < n * D + D; d++)
                score[s] += q[(b * T + t) * C + d] * k[(b * S + s) * C + d];
            score[s] /= sqrtf(D);
            int may = (!mask || number(mask, b * S + s) != 0) && (!causal || s <= t);
            prob[s] = may ? score[s] : -FLT_MAX;   /* a row of these becomes uniform */
            if (prob[s] > top) top = prob[s];
        }
        for (int s = 0; s < S; s++) sum += prob[s] = expf(prob[s] - top);
        for (int s = 0; s < S; s++) prob[s] /= sum;
        for (int s = 0; s < S; s++)
            for (int d = n * D; d < n * D + D; d++)
                context[(b * T + t) * C + d] += prob[s] * v[(b * S + s) * C + d];
    }
    return add_norm(join(at, ".output"), context, C, x);
}

static float *layer(char *at, float *x, Tensor *mask, int F) {
    Tensor *source = find("in:", "encoder_hidden_states");
    int causal = config("is_decoder") != 0;
    float *h = attention(join(at, ".attention"), x, x, T, mask, causal), *f;
    if (source)
        h = attention(join(at, ".crossattention"), h, (float *)source->data,
                      source->shape[1], find("in:", "encoder_attention_mask"), 0);
    f = dense(join(at, ".intermediate.dense"), h, B * T, C, F);
    f = gelu(tap(at, ".intermediate.dense", f, B, T, F, 0), (long)B * T * F);
    tap(at, ".intermediate.out", f, B, T, F, 0);
    return add_norm(join(at, ".output"), f, F, h);
}

/* The rows of a table that the ids name; without ids, its first rows. */
static float *look_up(const char *at, const Tensor *ids, int rows) {
    float *x = floats((long)rows * C), *table = param(at, ".weight");
    for (int r = 0; r < rows; r++)
        memcpy(x + r * C, table + (ids ? (int)number(ids, r) : r) * C, C * sizeof *x);
    return x;
}

static float *embeddings(char *at) {
    Tensor *vectors = find("in:", "inputs_embeds");
    Tensor *places = find("in:", "position_ids");
    char *w = join(at, ".word_embeddings"), *p = join(at, ".position_embeddings");
    char *k = join(at, ".token_type_embeddings");
    float *word = vectors ? (float *)vectors->data :
        look_up(w, need("in:", "input_ids"), B * T);
    float *kind = look_up(k, need("in:", "token_type_ids"), B * T);
    float *place = look_up(p, places, places ? B * T : T);
    float *sum = floats((long)B * T * C);
    tap(w, "", word, B, T, C, 0);
    tap(k, "", kind, B, T, C, 0);
    tap(p, "", place, places ? B : 1, T, C, 0);
    for (long i = 0; i < (long)B * T * C; i++)
        sum[i] = word[i] + kind[i] + place[places ? i : i % (T * C)];
    tap(at, ".sum", sum, B, T, C, 0);
    return tap(at, ".out", layer_norm(join(at, ".LayerNorm"), sum, B * T), B, T, C, 0);
}

static float *pooler(char *at, float *x) {
    float *first = floats((long)B * C), *h, *y = floats((long)B * C);
    for (int b = 0; b < B; b++) memcpy(first + b * C, x + b * T * C, C * sizeof *x);
    h = tap(at, ".dense", dense(join(at, ".dense"), first, B, C, C), B, C, 0, 0);
    for (int i = 0; i < B * C; i++) y[i] = tanhf(h[i]);
    return tap(at, ".out", y, B, C, 0, 0);
}

static float *word_head(float *x) {
    const char *at = "cls.predictions", *t = "cls.predictions.transform";
    float *h = tap(t, ".dense", dense(join(t, ".dense"), x, B * T, C, C), B, T, C, 0);
    h = tap(t, ".act", gelu(h, (long)B * T * C), B, T, C, 0);
    h = tap(t, ".out", layer_norm(join(t, ".LayerNorm"), h, B * T), B, T, C, 0);
    float *table = param("bert.embeddings.word_embeddings", ".weight");
    h = linear(h, B * T, C, V, table, param(at, ".bias"));
    return tap(at, ".out", h, B, T, V, 0);
}

/* ---------------------------------------------------------------------- losses */

/* The mean of -log softmax(x)[label] over rows (K) whose label is not `ignore`. */
static float *cross_entropy(const float *x, int rows, int K, const int *labels,
                            int ignore) {
    float *loss = floats(1);
    int used = 0;
    for (int r = 0; r < rows; r++, x += K) {
        float top = x[0], sum = 0;
        if (labels[r] == ignore) continue;
        for (int k = 0; k < K; k++) if (x[k] > top) top = x[k];
        for (int k = 0; k < K; k++) sum += expf(x[k] - top);
        *loss += logf(sum) + top - x[labels[r]];
        used++;
    }
    *loss /= used;
    return loss;
}

/* The labels as integers.  A shift of 1 moves them to the token before theirs. */
static int *classes(const char *name, int shift) {
    Tensor *t = need("in:", name);
    int *labels = room(count(t) * sizeof *labels);
    for (long i = 0; i < count(t); i++)
        labels[i] = shift && i % T == T - 1 ? -100 : (int)number(t, i + shift);
    return labels;
}

/* Each entry has its own label: squared errors, or with a sigmoid the cross-entropy. */
static float *each(const float *x, const Tensor *labels, int squared) {
    float *loss = floats(1);
    for (long i = 0; i < count(labels); i++) {
        float y = number(labels, i), d = x[i] - y;
        *loss += squared ? d * d :
            fmaxf(x[i], 0) - x[i] * y + log1pf(expf(-fabsf(x[i])));
    }
    *loss /= count(labels);
    return loss;
}

/* Half of question answering: the scores in column `side`, and their loss. */
static float *span_loss(const float *logits, int side, const char *name) {
    float *x = floats((long)B * T);
    int *labels = classes(name, 0);
    for (int i = 0; i < B * T; i++) x[i] = logits[2 * i + side];
    for (int b = 0; b < B; b++)              /* T, which no token is, counts as none */
        labels[b] = labels[b] < 0 ? 0 : labels[b] > T ? T : labels[b];
    return cross_entropy(x, B, T, labels, T);
}

static float *words(float *x, int shift) {
    return cross_entropy(word_head(x), B * T, V, classes("labels", shift), -100);
}

static float *order(float *pooled, const char *labels) {
    const char *at = "cls.seq_relationship";
    float *x = tap(at, ".out", dense(at, pooled, B, C, 2), B, 2, 0, 0);
    return cross_entropy(x, B, 2, classes(labels, 0), -100);
}

static float *spans(float *x) {
    float *loss = floats(1), *start, *end;
    x = tap("qa_outputs", ".out", dense("qa_outputs", x, B * T, C, 2), B, T, 2, 0);
    start = tap("", "start_loss", span_loss(x, 0, "start_positions"), 0, 0, 0, 0);
    end = tap("", "end_loss", span_loss(x, 1, "end_positions"), 0, 0, 0, 0);
    *loss = (*start + *end) / 2;
    return loss;
}

/* What stands on top of the backbone, and its loss. */
static float *head(float *x, float *pooled) {
    if (strstr(class, "QuestionAnswering")) return spans(x);
    if (strstr(class, "NextSentence")) return order(pooled, "labels");
    if (strstr(class, "MaskedLM")) return words(x, 0);
    if (strstr(class, "LMHead")) return words(x, 1);
    if (strstr(class, "PreTraining")) {
        float *loss = floats(1);
        float *mlm = tap("", "mlm_loss", words(x, 0), 0, 0, 0, 0);
        float *nsp = order(pooled, "next_sentence_label");
        *loss = *mlm + *tap("", "nsp_loss", nsp, 0, 0, 0, 0);
        return loss;
    }
    const char *at = "classifier";
    Tensor *labels = need("in:", "labels");
    int K = need("param:", "classifier.weight")->shape[0];
    if (strstr(class, "Token")) {
        x = tap(at, ".out", dense(at, x, B * T, C, K), B, T, K, 0);
        return cross_entropy(x, B * T, K, classes("labels", 0), -100);
    }
    x = tap(at, ".out", dense(at, pooled, B, C, K), B, K, 0, 0);
    if (labels->type[0] == 'F')
        return each(x, labels, strcmp(problem, "multi_label_classification"));
    if (strstr(class, "MultipleChoice")) K = B / labels->shape[0];
    return cross_entropy(x, labels->shape[0], K, classes("labels", 0), -100);
}

int main(int argc, char **argv) {
    if (argc != 3) fail("expected", "in.safetensors out.safetensors");
    read_tensors(argv[1]);
    Tensor *mask = need("in:", "attention_mask");
    T = mask->shape[mask->axes - 1], B = count(mask) / T;
    C = config("hidden_size"), N = config("num_attention_heads");
    V = config("vocab_size"), eps = config("layer_norm_eps");
    bert = strcmp(class, "BertModel") ? "bert." : "";
    float *x = embeddings(join(bert, "embeddings")), *pooled = NULL;
    for (int i = 0; i < config("num_hidden_layers"); i++) {
        char at[32];
        snprintf(at, sizeof at, "encoder.layer.%d", i);
        x = layer(join(bert, at), x, mask, config("intermediate_size"));
    }
    if (find("param:", join(bert, "pooler.dense.weight")))
        pooled = pooler(join(bert, "pooler"), x);
    if (*bert) tap("", "loss", head(x, pooled), 0, 0, 0, 0);
    write_tensors(argv[2]);
    return 0;
}
