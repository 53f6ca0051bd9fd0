import{A as e,C as t,O as n,S as r,b as i,l as a,m as o,o as s,s as c,t as l,u}from"./store.js";import{a as d}from"./errors.js";var f=`schema`,p=new a(`localStorage`,`drafts`),m=e(void 0),h=e(0),g=e(``),_=e(0),v=e([]),y=e([]),b=e(``),x=e(``),S=e(void 0),C=e(void 0),w=()=>g.value!==(m.value?.sdl??``);async function T(){try{let e=await r();m.value=e,b.value=``;for(let e of p.left())await N(e);A&&await N(M(g.value));let t=(await l(`drafts`)).find(e=>e.id===f);h.value=t?.base??e.version,D(t?.sdl??(e.version===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:e.sdl))}catch(e){b.value=d(e)}}async function E(e){if(!m.value||m.value.version===e||x.value)return;let t=!w();try{m.value=await r()}catch{return}t?await I():F()}function D(e){clearTimeout(k),A=!1,g.value=e,_.value+=1,F()}var O=350,k,A=!1;function j(e){g.value=e,C.value=void 0,A=!0,clearTimeout(k),k=setTimeout(()=>{F(),N(M(e))},O)}var M=e=>({id:f,sdl:e,base:h.value});async function N(e){e.sdl===m.value?.sdl?await c(`drafts`,e.id):await s(`drafts`,e),g.value===e.sdl&&(A=!1),p.settle(e.id)}u(()=>{A&&p.leave(M(g.value))});var P=0;async function F(){P+=1;let e=P;try{let n=g.value.trim()?await t(g.value):{__typename:`SchemaDiff`,changes:[]};if(e!==P)return;b.value=``,y.value=n.__typename===`InvalidSchema`?n.errors:[],v.value=n.__typename===`SchemaDiff`?n.changes:[]}catch(t){e===P&&(b.value=d(t))}}async function I(){await c(`drafts`,f),C.value=void 0,h.value=m.value?.version??0,D(m.value?.sdl||(h.value===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

type Artist @collection {
  id: ID!
  name: String! @unique
  albums: [Album!]! @relation(inverse: "artist", onDelete: CASCADE)
}

type Album @collection {
  id: ID!
  title: String! @index
  artist: Artist! @relation(inverse: "albums")
  tracks: [Track!]! @relation(inverse: "album", onDelete: CASCADE)
}

type Track @collection {
  id: ID!
  name: String! @index
  milliseconds: Int! @default(value: 0) @check(expr: { gte: 0 })
  composer: String
  album: Album @relation(inverse: "tracks")
}
`:``))}async function L(e){D(e),await N(M(e))}async function R(e){x.value=e.dryRun?`Trying`:`Applying`;let t=B();C.value=void 0;try{let t=await i(g.value,{...e,expectedVersion:h.value});return C.value=H(t,e.dryRun),t.__typename===`InvalidSchema`&&(y.value=t.errors),t.__typename!==`AppliedSchema`||e.dryRun?!1:(await c(`drafts`,f),m.value={sdl:g.value,version:t.version},h.value=t.version,v.value=[],await o(),!0)}catch(e){return C.value={good:!1,text:d(e)},!1}finally{t(),x.value=``}}var z=150;function B(){let e=!1,t=async()=>{let i=await n().catch(()=>void 0);e||(S.value=i,r=setTimeout(t,z))},r=setTimeout(t,z);return()=>{e=!0,clearTimeout(r),S.value=void 0}}function V({collection:e,step:t,records:n,of:r}){let i=e=>e.toLocaleString(`en`),a=r.whole?i(r.rows):`more than ${i(r.rows)}`;return`${e}: ${i(Number(n))} of ${a} ${t===`CHECK`?`read`:`written`}`}function H(e,t){switch(e.__typename){case`AppliedSchema`:{let n=e.backfilled===`0`?``:` Index entries of ${e.backfilled} documents ${t?`would be`:`were`} written.`;return{good:!0,text:t?`It would be applied.${n}`:`Version ${e.version} is applied.${n}`}}case`InvalidSchema`:return{good:!1,text:`The schema has errors. They are underlined.`};case`RefusedChange`:return{good:!1,text:e.reason};case`VersionMismatch`:return{good:!1,text:`Somebody applied version ${e.found} meanwhile; this was written against version ${e.expected}. Look at what changes now, then apply again.`}}}async function U(){try{m.value=await r(),h.value=m.value.version,await N(M(g.value)),C.value=void 0,await F()}catch(e){b.value=d(e)}}export{m as applied,R as apply,h as base,x as busy,v as changes,I as discard,y as faults,E as followApplied,w as isChanged,T as loadSchema,C as outcome,S as progress,L as propose,U as rebase,V as tellProgress,g as text,_ as textReplaced,b as trouble,j as type};