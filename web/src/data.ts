// The content of a page, as cellfeat/page/content.py writes it. Names are those of the JSON.

/** Name of a shard: a piece of data that is loaded when it is needed. */
export type Shard = string;

export interface Channel {
  name: string;
  /** "#rrggbb" */
  colour: string;
  /** Values of the image that become 0 and 255 in the thumbnails. */
  start: number;
  end: number;
}

/** Sheets of grey thumbnails: shard `thumbnails-<block>` holds a sheet a channel. */
export interface Thumbnails {
  /** Pixels of a side. */
  side: number;
  /** Samples of a block: sample n is in block floor(n / perBlock). */
  perBlock: number;
  /** Thumbnails in a row of a sheet; they fill rows from the top left. */
  across: number;
  /** Samples that have a thumbnail: the first ones; all where it is left out. */
  count?: number;
  /** "shards": in this page. "server": only `cellfeat view` gives them. */
  from: "shards" | "server";
}

/** A value of each sample. */
export interface Column {
  name: string;
  title: string;
  kind: "category" | "number" | "text";
  /** What the column is; "other" where it comes from a table of the user. */
  role:
    | "id" | "label" | "fold" | "group" | "part" | "origin" | "apart" | "x" | "y" | "other"
    | "predicted" | "confidence";
  /** The head of "predicted" and "confidence". */
  head?: string;
  /**
   * Category: shard of codes of this type; the largest code means: no value. Number: shard of "f32"; NaN means: no
   * value. Text: shards `<shard>-<block>`, blocks of `textBlock` rows, JSON arrays of strings.
   */
  shard: Shard;
  type: "u8" | "u16" | "u32" | "f32" | "json";
  /** Names of the codes of a category; where there are many, they are a shard (JSON array). */
  categories?: string[];
  categoriesShard?: Shard;
}

export interface Interval {
  score: number;
  low: number;
  high: number;
}

export interface ClassScore {
  name: string;
  n: number;
  recall: number;
  low: number;
  high: number;
  precision: number | null;
}

export interface ReliabilityBin {
  confidence: number;
  correct: number;
  n: number;
}

export interface ScoredHead extends Interval {
  name: string;
  seconds: number | null;
  /** "best", "worse", "no evidence" or "". */
  verdict: string;
  /** How far behind the best, in words with its interval; "" for the best. */
  behind: string;
}

export interface Head extends ScoredHead {
  settings: Record<string, unknown>;
  /** Rows: true classes `classes`; columns: `predictedClasses`. */
  confusion: number[][];
  predictedClasses: string[];
  perClass: ClassScore[];
  reliability: { before: ReliabilityBin[]; after: ReliabilityBin[]; errorBefore: number; errorAfter: number | null } | null;
  /** Shards `<probabilities>-<block>` of u16, shape (rows of the block, classes), 65535 = 1; blocks of `textBlock` rows. */
  probabilities: Shard | null;
}

export interface Fact {
  name: string;
  value: string;
}

export interface Question {
  /** Section of REFORMS. */
  section?: string;
  question: string;
  /** null: the run does not know; a person has to answer. */
  answer: string | null;
}

/** Scores of a head by the old and the new labels, on the same samples and folds. */
export interface OldAndNewLabels {
  nSamples: number;
  old: Interval;
  new: Interval;
  /** Score by the new labels minus score by the old ones, paired. */
  gain: Interval;
}

/** What a table of changed labels does to the scores. */
export interface Relabelling {
  sentences: string[];
  heads: {
    head: string;
    all: OldAndNewLabels | null;
    /** Without the samples whose label was changed after seeing a prediction. */
    unseen: OldAndNewLabels | null;
    /** Why one of both is null. */
    whyNot: string;
  }[];
}

export interface Overview {
  /** What the page shows, in a sentence. */
  headline: string;
  data: Fact[];
  recipe: Fact[];
  /** Verdicts in words. */
  verdicts: string[];
  /** Scores by what folds keep together. */
  leak: { sentences: string[]; rows: (Interval & { name: string; head: string })[] } | null;
  /** The same heads on several feature files (`compare --against`). */
  against?: { sentences: string[]; rows: ScoredHead[] } | null;
  curves: { head: string; points: (Interval & { nTrain: number })[] }[];
  limits: string[];
  /** Where labels were changed (`compare --labels`). */
  relabelling?: Relabelling | null;
  /** REFORMS: questions that a report of machine learning answers. */
  questions: Question[];
}

/** Two samples that an audit found to be alike, or whose labels contradict each other. */
export interface Pair {
  /** Rows. */
  a: number;
  b: number;
  /** "copy", "near copy", "crossing copy", "look-alike", "label conflict", "overlapping crop" */
  finding: string;
  detail: string;
  /**
   * Where b lies on a: pixel (x, y) of b is pixel (x + dx, y + dy) of a, after b was turned by `quarters` quarter turns
   * anticlockwise and mirrored (left to right, first) where `mirrored`. `width` and `height` are those of b after that,
   * in pixels of the images, not of thumbnails. null: not known.
   */
  overlap: {
    dx: number;
    dy: number;
    quarters: number;
    mirrored: boolean;
    /** Size of b after it was turned. */
    width: number;
    height: number;
    /** Size of a; left out: that of b before it was turned. */
    widthOfA?: number;
    heightOfA?: number;
  } | null;
}

export interface Suspect {
  row: number;
  label: string;
  predicted: string;
  confidence: number | null;
  head: string;
  detail: string;
}

export interface Audit {
  pairs: Pair[];
  suspects: Suspect[];
  /** Samples that could not be read. */
  quarantined: { id: string; reason: string }[];
  /** Everything else that was found: confounding, channels, rare classes, shortcuts. */
  findings: { finding: string; sample: string; row: number | null; partner: string; detail: string }[];
}

export interface Page {
  format: 1;
  kind: "comparison" | "head" | "held-out" | "audit" | "features";
  title: string;
  created: string;
  cellfeat: string;
  /** Digest of the samples: names what the browser keeps of this page. */
  digest: string;
  nSamples: number;
  textBlock: number;
  classes: string[];
  channels: Channel[];
  thumbnails: Thumbnails | null;
  /** Why there are no pictures, and what to do; "" where there are. */
  picturesNote: string;
  map: { method: "t-SNE" | "PCA"; note: string } | null;
  /**
   * Samples with the most similar embeddings, nearest first: shards `<shard>-<block>` of u32, shape (rows of the block,
   * k), blocks of `textBlock` rows; the largest number means: none.
   */
  neighbours?: { k: number; shard: Shard; note: string } | null;
  columns: Column[];
  /** Best first. */
  heads: Head[];
  overview: Overview;
  audit: Audit | null;
  /** Sentences about held-out samples: whether they lie apart from those that were fitted. */
  heldOut: string[];
}
