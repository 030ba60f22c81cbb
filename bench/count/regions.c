/*
 * A QEMU TCG plugin that counts the instructions which a Cortex-M guest executes between two markers: exactly, and the
 * same at every run. A marker is an instruction that does nothing and that compilers do not emit:
 *
 *     begin  mov r10, r10  (.short 0x46d2)        end  mov r11, r11  (.short 0x46db)
 *
 * Regions do not nest and are told apart by their order. Each one ends with a line of JSON in FILE:
 *
 *     {"instructions": n, "cycles": n, "loads": n, "stores": n, "taken": n}
 *
 * and, with hot=N, {"hot": [[address, executions], ...]} for its N most executed instructions. "cycles" is an estimate
 * to compare with, not a measurement: Armv7E-M timings of the Cortex-M4 reference manual with no wait states, no bus
 * contention, a constant refill of the pipeline. Markers are not counted.
 *
 * Arguments: out=FILE (required), hot=N (default 0).
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

#define EXPORT __attribute__((visibility("default")))
#define BEGIN_MARKER 0x46d2u
#define END_MARKER 0x46dbu

/* Refill of the three-stage pipeline after a taken branch: 1 to 3 cycles, 2 on average. */
#define TAKEN_CYCLES 2u

EXPORT int qemu_plugin_version = 1;

typedef enum { KIND_OTHER, KIND_LOAD, KIND_STORE } Kind;
typedef enum { NO_MARKER, BEGIN, END } Marker;

/* One instruction of the guest, by address. */
typedef struct {
  uint32_t address;
  uint8_t size;
  uint8_t cycles;
  uint8_t kind;
  uint8_t marker;
  uint64_t executions;
} Instruction;

static GHashTable *by_address;
static FILE *out;
static unsigned hot;

/* The region that is being counted. */
static struct {
  bool active;
  uint64_t instructions, cycles, loads, stores, taken;
  uint32_t next; /* address of the next instruction if this one does not branch */
  bool after_access;
} region;

/* Registers in a list such as {r4, r5-r7, lr}; 1 without a list. */
static unsigned registers_in(const char *text) {
  const char *at = strchr(text, '{');
  unsigned count = 0;
  if (at == NULL) return 1;
  for (at++; *at != '\0' && *at != '}';) {
    at += strspn(at, " ,");
    size_t length = strcspn(at, " ,}");
    const char *dash = memchr(at, '-', length);
    /* both names have one letter before the number: r4-r7, s16-s31 */
    count += dash == NULL ? 1u : (unsigned)(atoi(dash + 2) - atoi(at + 1) + 1);
    at += length;
  }
  return count;
}

static bool starts(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A row of the timing table: what a mnemonic begins with, its kind, its cycles, one more for each register. */
typedef struct {
  const char *prefix;
  Kind kind;
  uint8_t cycles;
  bool per_register;
} Timing;

/* Cortex-M4 technical reference manual, "Processor instruction timings". First match wins; all others take one. */
static const Timing TIMINGS[] = {
    {"vldm", KIND_LOAD, 1, true},   {"vpop", KIND_LOAD, 1, true},    {"vldr", KIND_LOAD, 2, false},
    {"vstm", KIND_STORE, 1, true},  {"vpush", KIND_STORE, 1, true},  {"vstr", KIND_STORE, 2, false},
    {"vmla", KIND_OTHER, 3, false}, {"vmls", KIND_OTHER, 3, false},  {"vfm", KIND_OTHER, 3, false},
    {"vfn", KIND_OTHER, 3, false},  {"vdiv", KIND_OTHER, 14, false}, {"vsqrt", KIND_OTHER, 14, false},
    {"ldrd", KIND_LOAD, 3, false},  {"ldm", KIND_LOAD, 1, true},     {"pop", KIND_LOAD, 1, true},
    {"ldr", KIND_LOAD, 2, false},   {"strd", KIND_STORE, 3, false},  {"stm", KIND_STORE, 1, true},
    {"push", KIND_STORE, 1, true},  {"str", KIND_STORE, 1, false},   {"udiv", KIND_OTHER, 6, false},
    {"sdiv", KIND_OTHER, 6, false}, {"tbb", KIND_LOAD, 2, false},    {"tbh", KIND_LOAD, 2, false},
};

static void classify(Instruction *insn, const char *text) {
  insn->cycles = 1;
  insn->kind = KIND_OTHER;
  for (size_t i = 0; i < sizeof TIMINGS / sizeof *TIMINGS; i++) {
    const Timing *row = &TIMINGS[i];
    if (!starts(text, row->prefix)) continue;
    insn->kind = row->kind;
    insn->cycles = (uint8_t)(row->cycles + (row->per_register ? registers_in(text) : 0));
    return;
  }
}

static void forget_executions(gpointer key, gpointer value, gpointer unused) {
  (void)key, (void)unused;
  ((Instruction *)value)->executions = 0;
}

static gint most_executed_first(gconstpointer a, gconstpointer b) {
  const Instruction *left = a, *right = b;
  if (left->executions != right->executions) return left->executions < right->executions ? 1 : -1;
  return left->address < right->address ? -1 : left->address > right->address;
}

static void print_hot(void) {
  GList *all = g_list_sort(g_hash_table_get_values(by_address), most_executed_first);
  unsigned printed = 0;
  fprintf(out, "{\"hot\": [");
  for (GList *at = all; at != NULL && printed < hot; at = at->next, printed++) {
    const Instruction *insn = at->data;
    if (insn->executions == 0) break;
    fprintf(out, "%s[%u, %" G_GUINT64_FORMAT "]", printed > 0 ? ", " : "", insn->address, insn->executions);
  }
  fprintf(out, "]}\n");
  g_list_free(all);
}

static void begin_region(const Instruction *marker) {
  memset(&region, 0, sizeof region);
  region.active = true;
  region.next = marker->address + marker->size;
  if (hot > 0) g_hash_table_foreach(by_address, forget_executions, NULL);
}

static void end_region(void) {
  if (!region.active) return;
  region.active = false;
  fprintf(out,
          "{\"instructions\": %" G_GUINT64_FORMAT ", \"cycles\": %" G_GUINT64_FORMAT
          ", \"loads\": %" G_GUINT64_FORMAT ", \"stores\": %" G_GUINT64_FORMAT
          ", \"taken\": %" G_GUINT64_FORMAT "}\n",
          region.instructions, region.cycles, region.loads, region.stores, region.taken);
  if (hot > 0) print_hot();
  fflush(out);
}

/* Runs before every instruction of the guest. */
static void executed(unsigned int vcpu, void *data) {
  Instruction *insn = data;
  (void)vcpu;
  if (G_UNLIKELY(insn->marker == BEGIN)) return begin_region(insn);
  if (G_UNLIKELY(insn->marker == END)) return end_region();
  if (!region.active) return;
  region.instructions++;
  insn->executions++;
  if (insn->address != region.next) {
    region.cycles += TAKEN_CYCLES;
    region.taken++;
  }
  region.next = insn->address + insn->size;
  /* A single load right behind another access overlaps with it. */
  bool overlaps = insn->kind == KIND_LOAD && insn->cycles == 2 && region.after_access;
  region.cycles += overlaps ? 1u : insn->cycles;
  region.loads += insn->kind == KIND_LOAD;
  region.stores += insn->kind == KIND_STORE;
  region.after_access = insn->kind != KIND_OTHER;
}

static Instruction *learn(const struct qemu_plugin_insn *translated, uint32_t address) {
  Instruction *insn = g_new0(Instruction, 1);
  const uint8_t *bytes = qemu_plugin_insn_data(translated);
  unsigned first = (unsigned)bytes[0] | (unsigned)bytes[1] << 8;
  char *text = qemu_plugin_insn_disas(translated);
  insn->address = address;
  /* Thumb tells its length by the top five bits. QEMU 7.2's own size is wrong for the last one of a page. */
  insn->size = (first >> 11) >= 0x1d ? 4 : 2;
  insn->marker = first == BEGIN_MARKER ? BEGIN : first == END_MARKER ? END : NO_MARKER;
  classify(insn, text);
  g_free(text);
  return insn;
}

/* Runs whenever QEMU translates a block; the same address may come again. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  size_t count = qemu_plugin_tb_n_insns(block);
  (void)id;
  for (size_t i = 0; i < count; i++) {
    struct qemu_plugin_insn *one = qemu_plugin_tb_get_insn(block, i);
    uint32_t address = (uint32_t)qemu_plugin_insn_vaddr(one);
    Instruction *insn = g_hash_table_lookup(by_address, GUINT_TO_POINTER(address | 1u));
    if (insn == NULL) {
      insn = learn(one, address);
      g_hash_table_insert(by_address, GUINT_TO_POINTER(address | 1u), insn);
    }
    qemu_plugin_register_vcpu_insn_exec_cb(one, executed, QEMU_PLUGIN_CB_NO_REGS, insn);
  }
}

static void finished(qemu_plugin_id_t id, void *unused) {
  (void)id, (void)unused;
  if (region.active) fprintf(out, "{\"error\": \"the guest ended within a region\"}\n");
  fclose(out);
}

static int refuse(const char *why) {
  fprintf(stderr, "regions: %s\n", why);
  return -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments) {
  if (strcmp(info->target_name, "arm") != 0) return refuse("counts Cortex-M guests alone (qemu-system-arm)");
  for (int i = 0; i < count; i++) {
    if (starts(arguments[i], "out="))
      out = fopen(arguments[i] + 4, "w");
    else if (starts(arguments[i], "hot="))
      hot = (unsigned)strtoul(arguments[i] + 4, NULL, 10);
    else
      return refuse("takes out=FILE and hot=N");
  }
  if (out == NULL) return refuse("cannot write out=FILE");
  by_address = g_hash_table_new(g_direct_hash, g_direct_equal);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
