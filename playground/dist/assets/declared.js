import{A as e,S as t,T as n,d as r,f as i,g as a,l as o,o as s,s as c,t as l,u,w as d}from"./store.js";import{a as f}from"./errors.js";var p=`schema`,m=e(void 0),h=e(0),g=e(``),_=e(0),v=e([]),y=e([]),b=e(``),x=e(``),S=e(void 0),C=()=>g.value!==(m.value?.sdl??``);async function w(){try{let e=await d();m.value=e,b.value=``;for(let e of u(`drafts`))await M(e);k&&await M(j(g.value));let t=(await l(`drafts`)).find(e=>e.id===p);h.value=t?.base??e.version,E(t?.sdl??(e.version===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

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
`:e.sdl))}catch(e){b.value=f(e)}}async function T(e){if(!m.value||m.value.version===e||x.value)return;let t=!C();try{m.value=await d()}catch{return}t?await F():P()}function E(e){clearTimeout(O),k=!1,g.value=e,_.value+=1,P()}var D=350,O,k=!1;function A(e){g.value=e,S.value=void 0,k=!0,clearTimeout(O),O=setTimeout(()=>{P(),M(j(e))},D)}var j=e=>({id:p,sdl:e,base:h.value});async function M(e){e.sdl===m.value?.sdl?await c(`drafts`,e.id):await s(`drafts`,e),g.value===e.sdl&&(k=!1),r(`drafts`,e.id)}i(()=>{k&&o(`drafts`,j(g.value))});var N=0;async function P(){N+=1;let e=N;try{let t=g.value.trim()?await n(g.value):{__typename:`SchemaDiff`,changes:[]};if(e!==N)return;b.value=``,y.value=t.__typename===`InvalidSchema`?t.errors:[],v.value=t.__typename===`SchemaDiff`?t.changes:[]}catch(t){e===N&&(b.value=f(t))}}async function F(){await c(`drafts`,p),S.value=void 0,h.value=m.value?.version??0,E(m.value?.sdl||(h.value===0?`# Types with @collection are stored. Vivarium makes their queries, filters and mutations.

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
`:``))}async function I(e){E(e),await M(j(e))}async function L(e){x.value=e.dryRun?`Trying`:`Applying`,S.value=void 0;try{let n=await t(g.value,{...e,expectedVersion:h.value});return S.value=R(n,e.dryRun),n.__typename===`InvalidSchema`&&(y.value=n.errors),n.__typename!==`AppliedSchema`||e.dryRun?!1:(await c(`drafts`,p),m.value={sdl:g.value,version:n.version},h.value=n.version,v.value=[],await a(),!0)}catch(e){return S.value={good:!1,text:f(e)},!1}finally{x.value=``}}function R(e,t){switch(e.__typename){case`AppliedSchema`:{let n=e.backfilled===`0`?``:` Index entries of ${e.backfilled} documents ${t?`would be`:`were`} written.`;return{good:!0,text:t?`It would be applied.${n}`:`Version ${e.version} is applied.${n}`}}case`InvalidSchema`:return{good:!1,text:`The schema has errors. They are underlined.`};case`RefusedChange`:return{good:!1,text:e.reason};case`VersionMismatch`:return{good:!1,text:`Somebody applied version ${e.found} meanwhile; this was written against version ${e.expected}. Look at what changes now, then apply again.`}}}async function z(){try{m.value=await d(),h.value=m.value.version,await M(j(g.value)),S.value=void 0,await P()}catch(e){b.value=f(e)}}export{m as applied,L as apply,h as base,x as busy,v as changes,F as discard,y as faults,T as followApplied,C as isChanged,w as loadSchema,S as outcome,I as propose,z as rebase,g as text,_ as textReplaced,b as trouble,A as type};